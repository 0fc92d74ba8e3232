import { expect, test } from 'vitest';
import { audit } from '../../../test/fixtures/protocol/audit.ts';
import { comparableLog } from '../../../test/fixtures/protocol/comparable-log.ts';
import { comparable } from '../../../test/fixtures/protocol/comparable.ts';
import { isDeviceProven } from '../../../test/fixtures/protocol/people.ts';
import { randomSphere, seededNumbers } from '../../../test/fixtures/protocol/random-sphere.ts';
import type { SignedEvent } from './event.ts';
import type { KnownType } from './event-body.ts';
import { eventBodySchemas } from './event-body.ts';
import { compareEvents } from './log-order.ts';
import { SphereLog } from './sphere-log.ts';

const IS_LONG = process.env['SPHERECAST_LONG'] === '1';
/** Each in so many orders; 20,000 runs in the long form. */
const SPHERES = IS_LONG ? 10_000 : 60;
const ORDERS_PER_SPHERE = IS_LONG ? 2 : 8;
const WATCHED_SPHERES = IS_LONG ? 20_000 : 60;
/** Kept for all tests; thousands of them would fill the memory. */
const KEPT = 60;

function makeSphere(seed: number) {
  const sphere = randomSphere(seed, 12 + (seed % 30));
  const deps = { sphereId: sphere.sphereId, isDeviceProven };
  return { ...sphere, seed, deps, expected: comparableLog(logOf(deps, sphere.events)) };
}

const kept = Array.from({ length: KEPT }, (_, seed) => makeSphere(seed));

function* spheres(count: number) {
  for (let seed = 0; seed < count; seed += 1) yield kept[seed] ?? makeSphere(seed);
}

function logOf(deps: ConstructorParameters<typeof SphereLog>[0], events: readonly SignedEvent[]): SphereLog {
  const log = new SphereLog(deps);
  log.addAll(events);
  return log;
}

/** A shuffled copy in which some events come twice. */
function shuffle(events: readonly SignedEvent[], next: (limit: number) => number): SignedEvent[] {
  const all = [...events, ...events.filter(() => next(4) === 0)];
  return all
    .map((event) => ({ event, key: next(2 ** 30) }))
    .sort((a, b) => a.key - b.key)
    .map(({ event }) => event);
}

test(`any order and any repetition of the same events gives the same state, in ${SPHERES} spheres`, () => {
  for (const { seed, deps, events, expected } of spheres(SPHERES)) {
    for (let order = 0; order < ORDERS_PER_SPHERE; order += 1) {
      const next = seededNumbers(seed * ORDERS_PER_SPHERE + order);
      const log = new SphereLog(deps);
      let rest = shuffle(events, next);
      while (rest.length > 0) {
        const length = 1 + next(rest.length);
        log.addAll(rest.slice(0, length));
        // Looked at in between, it must not stay as it was.
        if (next(2) === 0) log.state();
        rest = rest.slice(length);
      }
      expect(comparableLog(log), `seed ${seed}, order ${order}`).toBe(expected);
    }
  }
}, 3_600_000);

test('every kind of event is among them, and comes into force somewhere', () => {
  const inForce = new Set<string>();
  for (const { deps, events } of kept) {
    const log = logOf(deps, events);
    for (const { id, type } of events) if (log.verdict(id)?.kind === 'accepted') inForce.add(type);
  }
  const all = Object.keys(eventBodySchemas) as KnownType[];
  expect(all.filter((type) => !inForce.has(type))).toEqual([]);
});

test('adding one event after the other, as they were written, gives the state of all at once', () => {
  for (const { seed, deps, events, expected } of spheres(WATCHED_SPHERES)) {
    const log = new SphereLog(deps);
    for (const event of events.toSorted(byLamport)) log.add(event);
    expect(comparableLog(log), `seed ${seed}`).toBe(expected);
  }
}, 3_600_000);

test('adding one event after the other, a few places too late or too early, gives the state of all at once', () => {
  for (const { seed, deps, events, expected } of spheres(WATCHED_SPHERES)) {
    const next = seededNumbers(seed);
    const nearly = events
      .toSorted(byLamport)
      .map((event, place) => ({ event, place: place + next(6) }))
      .toSorted((a, b) => a.place - b.place);
    const log = new SphereLog(deps);
    for (const { event } of nearly) {
      log.add(event);
      log.state();
    }
    expect(comparableLog(log), `seed ${seed}`).toBe(expected);
    expect(log.events().map(({ id }) => id)).toEqual(events.toSorted(compareEvents).map(({ id }) => id));
  }
}, 3_600_000);

test('a state that was handed out does not change when events are added', () => {
  const [sphere] = kept;
  if (sphere === undefined) throw new Error('no sphere');
  const log = logOf(sphere.deps, sphere.events.slice(0, 20));
  const state = log.state();
  const before = comparable(state);
  log.addAll(sphere.events);
  expect(comparable(state)).toBe(before);
});

test('whatever part of its events is here, a sphere has one owner who is there, and nobody oversteps their rights', () => {
  for (const { seed, deps, events } of spheres(WATCHED_SPHERES)) {
    const next = seededNumbers(seed);
    const part = events.filter(({ type }) => type === 'genesis' || next(12) > 0);
    const state = logOf(deps, part).state();
    const owners = [...state.members.values()].filter(({ role }) => role === 'owner');
    expect(owners.map(({ state: kind }) => kind)).toEqual(['joined']);
    expect(audit(state, part), `seed ${seed}`).toEqual([]);
  }
}, 3_600_000);

test('a sphere always has one owner, the founder or who took it over, and no member exists whom nobody admitted', () => {
  for (const { deps, events } of spheres(WATCHED_SPHERES)) {
    const state = logOf(deps, events).state();
    const owners = [...state.members.values()].filter((member) => member.role === 'owner');
    const taken = events.findLast(
      ({ id, type }) => (type === 'accept' || type === 'succeed') && !state.refused.has(id) && !state.held.has(id),
    );
    const isFounder = owners[0]?.person === state.genesis?.owner;
    expect(owners.map(({ state: kind }) => kind)).toEqual(['joined']);
    expect(isFounder || taken !== undefined).toBe(true);
    for (const member of state.members.values()) {
      if (member.role === 'owner' || member.person === state.genesis?.owner) continue;
      const isAdmitted = (event: SignedEvent): boolean =>
        event.type === 'invite'
          ? event.body.jid === member.jid
          : event.type === 'moved' && event.body.to === member.jid;
      const admitting = events.filter(isAdmitted);
      expect(admitting.some((event) => !state.refused.has(event.id) && !state.held.has(event.id))).toBe(true);
    }
  }
}, 3_600_000);

function byLamport(a: SignedEvent, b: SignedEvent): number {
  return a.header.lamport - b.header.lamport;
}
