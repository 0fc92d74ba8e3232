import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDeviceKey } from '../base/id.ts';
import { arbitrate } from './duplicates.ts';

const low = parseDeviceKey('0'.repeat(64));
const high = parseDeviceKey('f'.repeat(64));

interface Wire {
  readonly id: number;
  readonly dialledByLow: boolean;
}

/** Both ends of one pair, each with the connections it knows; arrivals are told in any order on each side. */
function play(wires: readonly Wire[], orders: readonly [readonly Wire[], readonly Wire[]]): Set<number> {
  const open = new Set(wires.map(({ id }) => id));
  const ends = orders.map((order, side) => ({ order: [...order], links: [] as Wire[], isLow: side === 0 }));
  for (let step = 0; step < wires.length; step += 1) {
    for (const end of ends) {
      const wire = end.order[step];
      if (wire === undefined || !open.has(wire.id)) continue;
      const pair = end.isLow ? { ours: low, theirs: high } : { ours: high, theirs: low };
      const known = end.links
        .filter(({ id }) => open.has(id))
        .map((link) => ({ ...link, weDialled: link.dialledByLow === end.isLow, silentMs: 0 }));
      const verdict = arbitrate(pair, known, wire.dialledByLow === end.isLow);
      for (const dropped of verdict.drop) open.delete(dropped.id);
      if (verdict.accept) end.links.push(wire);
      else open.delete(wire.id);
    }
  }
  return open;
}

test('when both dial at once, exactly the connection of the lower key stays', () => {
  const wires = [
    { id: 1, dialledByLow: true },
    { id: 2, dialledByLow: false },
  ];
  const orders = [wires, wires.toReversed()] as const;
  for (const first of orders) for (const second of orders) expect(play(wires, [first, second])).toEqual(new Set([1]));
});

test('several calls of one caller end with one connection, whatever order they arrive in', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.boolean(), fc.infiniteStream(fc.nat(100)), (count, byLow, keys) => {
      const wires = Array.from({ length: count }, (_, id) => ({ id, dialledByLow: byLow }));
      const shuffled = (): Wire[] =>
        wires
          .map((wire) => ({ wire, key: keys.next().value ?? 0 }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ wire }) => wire);
      expect(play(wires, [shuffled(), shuffled()]).size).toBe(1);
    }),
    { numRuns: 500 },
  );
});

test('a connection silent for longer than a keep-alive gives way', () => {
  const dead = { weDialled: true, silentMs: 80_000 };
  expect(arbitrate({ ours: low, theirs: high }, [dead], false)).toEqual({ accept: true, drop: [dead] });
  const alive = { weDialled: true, silentMs: 10_000 };
  expect(arbitrate({ ours: low, theirs: high }, [alive], false)).toEqual({ accept: false, drop: [] });
});
