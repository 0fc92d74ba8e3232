import fc from 'fast-check';
import { expect, test } from 'vitest';
import { comparable } from '../../../test/fixtures/protocol/comparable.ts';
import { isDeviceProven } from '../../../test/fixtures/protocol/people.ts';
import { randomSphere, seededNumbers } from '../../../test/fixtures/protocol/random-sphere.ts';
import type { SignedEvent } from './event.ts';
import { compareEvents } from './log-order.ts';
import { computeState, SphereLog } from './sphere-log.ts';

const SPHERES = 60;
/** 20 400 runs in the long form. */
const ORDERS_PER_SPHERE = process.env['SPHERECAST_LONG'] === '1' ? 340 : 20;

const spheres = Array.from({ length: SPHERES }, (_, seed) => {
  const sphere = randomSphere(seed, 12 + (seed % 30));
  const deps = { sphereId: sphere.sphereId, isDeviceProven };
  return { ...sphere, deps, expected: comparable(computeState(deps, sphere.events)) };
});

/** A shuffled copy in which some events come twice. */
function shuffle(events: readonly SignedEvent[], next: (limit: number) => number): SignedEvent[] {
  const all = [...events, ...events.filter(() => next(4) === 0)];
  return all
    .map((event) => ({ event, key: next(2 ** 30) }))
    .sort((a, b) => a.key - b.key)
    .map(({ event }) => event);
}

test('any order and any repetition of the same events gives the same state', () => {
  fc.assert(
    fc.property(fc.nat(SPHERES - 1), fc.nat(), (index, seed) => {
      const sphere = spheres[index];
      if (sphere === undefined) return;
      const next = seededNumbers(seed);
      const log = new SphereLog(sphere.deps);
      let rest = shuffle(sphere.events, next);
      while (rest.length > 0) {
        const length = 1 + next(rest.length);
        log.addAll(rest.slice(0, length));
        rest = rest.slice(length);
      }
      expect(comparable(log.state())).toBe(sphere.expected);
    }),
    { numRuns: SPHERES * ORDERS_PER_SPHERE },
  );
}, 600_000);

test('adding one event after the other, as they were written, gives the state of all at once', () => {
  for (const { deps, events, expected } of spheres) {
    const log = new SphereLog(deps);
    for (const event of events.toSorted(byLamport)) log.add(event);
    expect(comparable(log.state())).toBe(expected);
  }
}, 60_000);

test('adding one event after the other, a few places too late or too early, gives the state of all at once', () => {
  for (const [index, { deps, events, expected }] of spheres.entries()) {
    const next = seededNumbers(index);
    const nearly = events
      .toSorted(byLamport)
      .map((event, place) => ({ event, place: place + next(6) }))
      .toSorted((a, b) => a.place - b.place);
    const log = new SphereLog(deps);
    for (const { event } of nearly) {
      log.add(event);
      log.state();
    }
    expect(comparable(log.state())).toBe(expected);
    expect(log.events().map(({ id }) => id)).toEqual(events.toSorted(compareEvents).map(({ id }) => id));
  }
}, 60_000);

test('a state that was handed out does not change when events are added', () => {
  const [sphere] = spheres;
  if (sphere === undefined) throw new Error('no sphere');
  const log = new SphereLog(sphere.deps);
  log.addAll(sphere.events.slice(0, 20));
  const state = log.state();
  const before = comparable(state);
  log.addAll(sphere.events);
  expect(comparable(state)).toBe(before);
});

test('a sphere always has one owner, the founder or who took it over, and no member exists whom nobody admitted', () => {
  for (const { deps, events } of spheres) {
    const state = computeState(deps, events);
    const owners = [...state.members.values()].filter((member) => member.role === 'owner');
    const taken = events.findLast(
      ({ id, type }) => (type === 'accept' || type === 'succeed') && !state.refused.has(id) && !state.held.has(id),
    );
    const isFounder = owners[0]?.person === state.genesis?.owner;
    expect(owners.map(({ state: kind }) => kind)).toEqual(['joined']);
    expect(isFounder || taken !== undefined).toBe(true);
    for (const member of state.members.values()) {
      if (member.role === 'owner') continue;
      const isAdmitted = (event: SignedEvent): boolean =>
        event.type === 'invite'
          ? event.body.jid === member.jid
          : event.type === 'moved' && event.body.to === member.jid;
      const admitting = events.filter(isAdmitted);
      expect(admitting.some((event) => !state.refused.has(event.id) && !state.held.has(event.id))).toBe(true);
    }
  }
});

function byLamport(a: SignedEvent, b: SignedEvent): number {
  return a.header.lamport - b.header.lamport;
}
