import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RarestFirst } from './rarest-first.ts';

test('whatever joins, leaves and is begun, the pieces come with the rarest first, each once', () => {
  const kinds = ['add', 'remove', 'have', 'gone', 'all join', 'all leave'] as const;
  const change = fc.tuple(fc.constantFrom(...kinds), fc.nat(19));
  const dice = fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true }));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 120 }), dice, (changes, numbers) => {
      const subject = new RarestFirst({ pieceCount: 20, random: () => Number(numbers.next().value) });
      const within = new Set<number>();
      const holders = Array.from({ length: 20 }, () => 0);
      const count = (piece: number, by: number) => (holders[piece] = Math.max(0, (holders[piece] ?? 0) + by));
      for (const [kind, piece] of changes) {
        const by = kind === 'gone' || kind === 'all leave' ? -1 : 1;
        if (kind === 'add') within.add(piece);
        if (kind === 'remove') within.delete(piece);
        if (kind === 'add' || kind === 'remove') subject[kind](piece);
        else if (kind === 'have' || kind === 'gone') {
          subject.count(piece, by);
          count(piece, by);
        } else {
          subject.countAll((one) => one <= piece, by);
          for (let one = 0; one <= piece; one += 1) count(one, by);
        }
      }
      const order = Array.from(subject);
      expect(order.toSorted((a, b) => a - b)).toEqual(Array.from(within).toSorted((a, b) => a - b));
      const counts = order.map((piece) => holders[piece] ?? 0);
      expect(counts).toEqual(counts.toSorted((a, b) => a - b));
      expect(subject.size).toBe(within.size);
    }),
    { numRuns: 2000 },
  );
});

test('of equally rare pieces none is more often the first than another, also after a full copy came', () => {
  const firsts = Array.from({ length: 4 }, () => 0);
  for (let run = 0; run < 4000; run += 1) {
    const subject = new RarestFirst({ pieceCount: 4, random: Math.random });
    for (let piece = 0; piece < 4; piece += 1) subject.add(piece);
    for (let piece = 0; piece < 4; piece += 1) subject.count(piece, 1);
    const [first = 0] = subject;
    firsts[first] = (firsts[first] ?? 0) + 1;
  }
  for (const times of firsts) expect(Math.abs(times - 1000)).toBeLessThan(150);
});

test('pieces that are begun while they are gone through are neither skipped nor told twice', () => {
  const subject = new RarestFirst({ pieceCount: 10, random: Math.random });
  for (let piece = 0; piece < 10; piece += 1) subject.add(piece);
  for (const piece of [1, 2, 3, 3, 8]) subject.count(piece, 1);
  const seen: number[] = [];
  for (const piece of subject) {
    seen.push(piece);
    subject.remove(piece);
  }
  expect(seen.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
