import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import type { PieceRange } from './piece-range.ts';
import { PiecePicker } from './picker.ts';

const everything = (): boolean => true;

function picker(options: { pieceCount: number; background?: readonly PieceRange[]; have?: Set<number> }) {
  const have = options.have ?? new Set<number>();
  return new PiecePicker({
    pieceCount: options.pieceCount,
    have: (piece) => have.has(piece),
    random: () => 0.5,
    background: options.background ?? null,
  });
}

function pieces(source: PiecePicker, peer = 'a', has: (piece: number) => boolean = everything): number[] {
  return Array.from(source.candidates(peer, has), (candidate) => candidate.piece);
}

test('the rarest piece comes first', () => {
  const subject = picker({ pieceCount: 4 });
  subject.countAll(everything, 1);
  subject.count(0, 1);
  subject.count(1, 1);
  subject.count(3, 1);
  subject.count(3, 1);
  const [first, ...others] = pieces(subject);
  expect([first, others.slice(0, 2).toSorted(), others[2]]).toEqual([2, [0, 1], 3]);
});

test('a begun piece is finished before a rarer one is begun', () => {
  const subject = picker({ pieceCount: 3 });
  subject.count(1, 1);
  subject.begun(1, 'a');
  expect(pieces(subject)[0]).toBe(1);
});

test('pieces of a window come first, in order, its head urgent', () => {
  const subject = picker({ pieceCount: 20 });
  subject.setWindow('player', { from: 10, to: 16 });
  const first = Array.from(subject.candidates('a', everything)).slice(0, 7);
  expect(first.map(({ piece }) => piece).slice(0, 6)).toEqual([10, 11, 12, 13, 14, 15]);
  expect(first.map(({ urgent }) => urgent)).toEqual([true, true, true, true, false, false, false]);
});

/** The pieces that one peer is asked for, one after the other; each is here before the next but three is asked for. */
function fetchedInOrder(subject: PiecePicker, have: Set<number>, count: number): number[] {
  const asked: number[] = [];
  while (asked.length < count) {
    const next = subject.candidates('a', everything).find(({ piece }) => !asked.includes(piece));
    if (next === undefined) break;
    subject.begun(next.piece, 'a');
    asked.push(next.piece);
    const arrived = asked.at(-4);
    if (arrived === undefined) continue;
    have.add(arrived);
    subject.verified(arrived);
  }
  return asked;
}

test('a second reader waits for its first pieces no longer than if it were alone, and then both go on alike', () => {
  const have = new Set<number>();
  const subject = picker({ pieceCount: 1000, have });
  subject.setWindow('film', { from: 0, to: 64 });
  expect(fetchedInOrder(subject, have, 10)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  subject.setWindow('other index', { from: 990, to: 996 });
  subject.setWindow('other', { from: 500, to: 564 });
  subject.setWindow('film', { from: 10, to: 74 });
  const asked = fetchedInOrder(subject, have, 30);
  const heads = [500, 501, 502, 503, 990, 991, 992, 993, 994, 995];
  expect(asked.slice(0, 10).toSorted((a, b) => a - b)).toEqual(heads);
  const [ofFilm, ofOther] = [
    asked.slice(10).filter((piece) => piece < 74),
    asked.slice(10).filter((piece) => piece >= 74),
  ];
  expect([ofFilm.length, ofOther.length]).toEqual([10, 10]);
  expect([ofFilm, ofOther]).toEqual([ofFilm.toSorted((a, b) => a - b), ofOther.toSorted((a, b) => a - b)]);
});

test('a reader that had all it wanted for long takes nothing from another one when it goes on', () => {
  const have = new Set<number>();
  const subject = picker({ pieceCount: 5000, have });
  subject.setWindow('paused', { from: 4000, to: 4064 });
  fetchedInOrder(subject, have, 20);
  for (let piece = 4000; piece < 4064; piece += 1) have.add(piece);
  for (let from = 0; from < 1000; from += 50) {
    subject.setWindow('film', { from, to: from + 64 });
    fetchedInOrder(subject, have, 50);
  }
  subject.setWindow('paused', { from: 4060, to: 4124 });
  const ofFilm = fetchedInOrder(subject, have, 40).filter((piece) => piece < 4000);
  expect(ofFilm.length).toBeGreaterThanOrEqual(15);
});

test('without background only windows are wanted', () => {
  const subject = picker({ pieceCount: 8, background: [] });
  expect(pieces(subject)).toEqual([]);
  subject.setWindow('player', { from: 2, to: 4 });
  expect(pieces(subject)).toEqual([2, 3]);
  expect([subject.wanted(2), subject.wanted(5), subject.wantsAnything]).toEqual([true, false, true]);
  expect(subject.setWindow('player', { from: 0, to: 0 })).toBe(true);
  expect([pieces(subject), subject.wantsAnything]).toEqual([[], false]);
});

test('of a part that is wanted only its pieces are fetched, and others while a reader waits for them', () => {
  const background = [
    { from: 1, to: 3 },
    { from: 6, to: 7 },
  ];
  const have = new Set<number>();
  const subject = picker({ pieceCount: 8, background, have });
  expect(pieces(subject).toSorted()).toEqual([1, 2, 6]);
  subject.begun(4, 'a');
  expect(pieces(subject)).not.toContain(4);
  subject.setWindow('player', { from: 4, to: 5 });
  expect(pieces(subject)[0]).toBe(4);
  subject.setWindow('player', { from: 0, to: 0 });
  for (const piece of [1, 2, 6]) {
    have.add(piece);
    subject.verified(piece);
  }
  expect(subject.wantsAnything).toBe(false);
});

test('a window that slides on does not count as a jump, one that moves elsewhere does', () => {
  const subject = picker({ pieceCount: 100 });
  expect(subject.setWindow('player', { from: 0, to: 10 })).toBe(true);
  expect(subject.setWindow('player', { from: 3, to: 13 })).toBe(false);
  expect(subject.setWindow('player', { from: 60, to: 70 })).toBe(true);
  expect(subject.setWindow('player', { from: 10, to: 20 })).toBe(true);
});

test('a piece that failed its check is fetched from one peer alone', () => {
  const subject = picker({ pieceCount: 2 });
  subject.failed(0);
  subject.begun(0, 'a');
  expect(pieces(subject, 'a')).toContain(0);
  expect(pieces(subject, 'b')).not.toContain(0);
  subject.peerLeft('a');
  expect(pieces(subject, 'b')).toContain(0);
});

test('every wanted piece a peer holds is offered exactly once per kind of reason', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.array(fc.nat(59)),
      fc.array(fc.nat(59)),
      fc.boolean(),
      fc.tuple(fc.nat(59), fc.nat(60)),
      (pieceCount, have, peerHas, background, [from, to]) => {
        const haves = new Set(have);
        const peer = new Set(peerHas);
        const some = [{ from: Math.min(4, pieceCount), to: Math.min(9, pieceCount) }];
        const subject = picker({ pieceCount, have: haves, ...(background ? {} : { background: some }) });
        subject.setWindow('r', { from: Math.min(from, pieceCount - 1), to });
        const offered = new Set(pieces(subject, 'a', (piece) => peer.has(piece)));
        for (let piece = 0; piece < pieceCount; piece += 1) {
          expect(offered.has(piece)).toBe(peer.has(piece) && subject.wanted(piece));
        }
      },
    ),
    { numRuns: fuzzRuns(500) },
  );
});

test('a piece that turns out to be lost, or wrong, is offered again', () => {
  const have = new Set([0, 1, 2, 3]);
  const subject = picker({ pieceCount: 4, have });
  expect([pieces(subject), subject.wantsAnything]).toEqual([[], false]);
  have.delete(2);
  const before = subject.returned;
  subject.lost(2);
  expect([pieces(subject), subject.wantsAnything, subject.returned > before]).toEqual([[2], true, true]);
  subject.begun(2, 'a');
  subject.failed(2);
  expect(Array.from(subject.candidates('a', everything))).toEqual([{ piece: 2, urgent: false, isFresh: true }]);
});
