import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { parseDeviceKey } from '../base/id.ts';
import type { Path } from '../contract/swarm.ts';
import { arbitrate } from './duplicates.ts';

const low = parseDeviceKey('0'.repeat(64));
const high = parseDeviceKey('f'.repeat(64));

interface Wire {
  readonly id: number;
  readonly dialledByLow: boolean;
  readonly path: Path;
  /** As the end with the higher key sees it, when it sees something else. */
  readonly pathAtHigh?: Path;
  readonly ageMs: number;
}

const wire = (id: number, dialledByLow: boolean, more: Partial<Wire> = {}): Wire => {
  return { id, dialledByLow, path: 'tcp', ageMs: 0, ...more };
};

const pathAt = ({ path, pathAtHigh }: Wire, isLow: boolean): Path => (isLow ? path : (pathAtHigh ?? path));

/**
 * Both ends of one pair; arrivals are told in any order on each side. `old` is what both have had for long, and `doubts`
 * says which ends wait for answers on it.
 */
function play(
  wires: readonly Wire[],
  orders: readonly [readonly Wire[], readonly Wire[]],
  old: readonly Wire[] = [],
  doubts: readonly [boolean, boolean] = [false, false],
): Set<number> {
  const open = new Set([...old, ...wires].map(({ id }) => id));
  const ends = orders.map((order, side) => ({
    order,
    links: [...old],
    isLow: side === 0,
    doubts: doubts[side] === true,
  }));
  for (let step = 0; step < wires.length; step += 1) {
    for (const end of ends) {
      const arrived = end.order[step];
      if (arrived === undefined || !open.has(arrived.id)) continue;
      const pair = end.isLow ? { ours: low, theirs: high } : { ours: high, theirs: low };
      const known = end.links
        .filter(({ id }) => open.has(id))
        .map((link) => ({
          ...link,
          path: pathAt(link, end.isLow),
          weDialled: link.dialledByLow === end.isLow,
          silentMs: 0,
          isSuspect: end.doubts && link.ageMs > 0,
        }));
      const fresh = { weDialled: arrived.dialledByLow === end.isLow, path: pathAt(arrived, end.isLow) };
      const verdict = arbitrate(pair, known, fresh);
      for (const dropped of verdict.drop) open.delete(dropped.id);
      if (verdict.accept) end.links.push(arrived);
      else open.delete(arrived.id);
    }
  }
  return open;
}

/** All ways in which both ends may hear of two connections. */
function everyOrder(
  wires: readonly Wire[],
  ...rest: [(readonly Wire[])?, (readonly [boolean, boolean])?]
): Set<number>[] {
  const orders = [wires, wires.toReversed()] as const;
  return orders.flatMap((first) => orders.map((second) => play(wires, [first, second], ...rest)));
}

test('when both dial at once, exactly the connection of the lower key stays', () => {
  for (const left of everyOrder([wire(1, true), wire(2, false)])) expect(left).toEqual(new Set([1]));
});

test('several calls of one caller end with one connection, whatever order they arrive in', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.boolean(), fc.infiniteStream(fc.nat(100)), (count, byLow, keys) => {
      const wires = Array.from({ length: count }, (_, id) => wire(id, byLow));
      const shuffled = (): Wire[] =>
        wires
          .map((one) => ({ one, key: keys.next().value ?? 0 }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ one }) => one);
      expect(play(wires, [shuffled(), shuffled()]).size).toBe(1);
    }),
    { numRuns: fuzzRuns(500) },
  );
});

test('a straight connection replaces one over WebRTC, at once or later, and is never replaced by one', () => {
  for (const byLow of [true, false]) {
    for (const straightByLow of [true, false]) {
      const wires = [wire(1, byLow, { path: 'webrtc' }), wire(2, straightByLow)];
      for (const left of everyOrder(wires)) expect(left).toEqual(new Set([2]));
      const old = [wire(1, byLow, { path: 'webrtc', ageMs: 60_000 })];
      for (const left of everyOrder([wire(2, straightByLow)], old)) expect(left).toEqual(new Set([2]));
      const straight = [wire(1, straightByLow, { ageMs: 60_000 })];
      for (const left of everyOrder([wire(2, byLow, { path: 'webrtc' })], straight)) {
        expect(left).toEqual(new Set([1]));
      }
    }
  }
});

test('a caller that doubts a settled connection replaces it, although the other end sees nothing wrong', () => {
  for (const oldByLow of [true, false]) {
    for (const calledByLow of [true, false]) {
      const old = [wire(1, oldByLow, { ageMs: 60_000 })];
      const doubts = [calledByLow, !calledByLow] as const;
      for (const left of everyOrder([wire(2, calledByLow)], old, doubts)) expect(left).toEqual(new Set([2]));
      const rtc = wire(2, calledByLow, { path: 'webrtc' });
      for (const left of everyOrder([rtc], old, doubts)) expect(left).toEqual(new Set([2]));
    }
  }
});

test('when both ends doubt a settled connection and call at once, one new connection stays', () => {
  for (const oldByLow of [true, false]) {
    const old = [wire(1, oldByLow, { ageMs: 60_000 })];
    for (const left of everyOrder([wire(2, true), wire(3, false)], old, [true, true]))
      expect(left).toEqual(new Set([2]));
  }
});

test('a settled connection that has come to life again stays, and the call beside it ends', () => {
  for (const calledByLow of [true, false]) {
    const old = [wire(1, !calledByLow, { ageMs: 60_000 })];
    for (const left of everyOrder([wire(2, calledByLow)], old)) expect(left).toEqual(new Set([1]));
  }
});

test('a connection silent for longer than a keep-alive gives way', () => {
  const rest = { weDialled: true, path: 'tcp' as const, isSuspect: false, ageMs: 0 };
  const fresh = { weDialled: false, path: 'tcp' as const };
  const dead = { ...rest, silentMs: 80_000 };
  expect(arbitrate({ ours: low, theirs: high }, [dead], fresh)).toEqual({ accept: true, drop: [dead] });
  const alive = { ...rest, silentMs: 10_000 };
  expect(arbitrate({ ours: low, theirs: high }, [alive], fresh)).toEqual({ accept: false, drop: [] });
});

test('a better path takes the place of a settled one, whoever finds it, and also when both find it at once', () => {
  const paths = ['lan', 'tcp', 'webrtc', 'turn'] as const;
  for (const [rank, path] of paths.entries()) {
    for (const worse of paths.slice(rank + 1)) {
      for (const oldByLow of [true, false]) {
        const old = [wire(1, oldByLow, { path: worse, ageMs: 60_000 })];
        for (const byLow of [true, false]) {
          for (const left of everyOrder([wire(2, byLow, { path })], old)) expect(left).toEqual(new Set([2]));
        }
        const both = [wire(2, true, { path }), wire(3, false, { path })];
        for (const left of everyOrder(both, old)) expect(left).toEqual(new Set([2]));
      }
    }
  }
});

test('a path that is no better than a settled one is not taken', () => {
  const paths = ['lan', 'tcp', 'webrtc', 'turn'] as const;
  for (const [rank, path] of paths.entries()) {
    for (const byLow of [true, false]) {
      for (const better of paths.slice(0, rank + 1)) {
        const old = [wire(1, !byLow, { path: better, ageMs: 60_000 })];
        for (const left of everyOrder([wire(2, byLow, { path })], old)) expect(left).toEqual(new Set([1]));
      }
    }
  }
});

test('where a router lets both ends see different paths, the one who calls decides, and one connection stays', () => {
  for (const oldByLow of [true, false]) {
    const old = [wire(1, oldByLow, { path: 'tcp', pathAtHigh: 'lan', ageMs: 60_000 })];
    const fresh = wire(2, true, { path: 'lan', pathAtHigh: 'tcp' });
    for (const left of everyOrder([fresh], old)) expect(left).toEqual(new Set([2]));
  }
});
