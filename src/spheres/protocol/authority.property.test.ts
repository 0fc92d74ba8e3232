import { expect, test } from 'vitest';
import { audit } from '../../../test/fixtures/protocol/audit.ts';
import { isDeviceProven } from '../../../test/fixtures/protocol/people.ts';
import { randomSphere } from '../../../test/fixtures/protocol/random-sphere.ts';
import type { DeviceKey } from '../../base/id.ts';
import type { SignedEvent } from './event.ts';
import { computeState, SphereLog } from './sphere-log.ts';

const RUNS = process.env['SPHERECAST_LONG'] === '1' ? 20_000 : 60;
/** The seeds of the property over orders are others. */
const FIRST_SEED = 1_000;
/** Somebody has moved away, asks another one at the address of before, and withdraws that. */
const MOVED_SEED = 14_998;
const SEEDS = [MOVED_SEED, ...Array.from({ length: RUNS }, (_, run) => FIRST_SEED + run)];

interface Numbered {
  readonly device: DeviceKey;
  readonly sequence: number;
  readonly ids: readonly string[];
}

/** Numbers that a device used more than once. */
function usedTwice(events: readonly SignedEvent[]): Numbered[] {
  const groups = Map.groupBy(events, ({ header }) => `${header.device} ${header.sequence}`);
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined || group.length < 2) return [];
    const { device, sequence } = first.header;
    return [{ device, sequence, ids: group.map(({ id }) => id) }];
  });
}

test(`in ${RUNS} spheres of people who act without knowing of each other, nobody oversteps their rights and no fork is settled in silence`, () => {
  const counts = { decisions: 0, refused: 0, forks: 0 };
  for (const seed of SEEDS) {
    const { sphereId, events } = randomSphere(seed, 8 + (seed % 24));
    const deps = { sphereId, isDeviceProven };
    const state = computeState(deps, events);
    expect(audit(state, events), `seed ${seed}`).toEqual([]);
    const log = new SphereLog(deps);
    log.addAll(events.toReversed());
    const forks = usedTwice(events);
    for (const { device, sequence, ids } of forks) {
      expect(state.forks.get(device), `seed ${seed}`).toContain(sequence);
      for (const id of ids) expect(log.has(id as SignedEvent['id'])).toBe(true);
    }
    counts.decisions += events.filter(({ type }) => ['remove', 'role', 'invite', 'accept'].includes(type)).length;
    counts.refused += state.refused.size;
    counts.forks += forks.length;
  }
  // Otherwise the spheres would be too tame to show anything.
  expect(counts.decisions).toBeGreaterThan(RUNS);
  expect(counts.refused).toBeGreaterThan(RUNS);
  expect(counts.forks).toBeGreaterThan(RUNS / 10);
}, 3_600_000);
