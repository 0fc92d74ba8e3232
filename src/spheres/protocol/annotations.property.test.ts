import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../../test/fixtures/fuzz-runs.ts';
import { toUtf8 } from '../../base/bytes.ts';
import { createPerson, isDeviceProven } from '../../../test/fixtures/protocol/people.ts';
import { seededNumbers } from '../../../test/fixtures/protocol/random-sphere.ts';
import { admit, foundWorld, settle, Writer } from '../../../test/fixtures/protocol/sphere-world.ts';
import type { SignedEvent } from './event.ts';
import { sha256Hex } from './keys.ts';
import { SphereLog } from './sphere-log.ts';

const people = { owner: createPerson('ana'), member: createPerson('ben'), viewer: createPerson('eve') };
const SIGNS = ['👍', '❤️', '😂'];

/** People who write, react, edit, take away and read without always knowing of each other. */
function busySphere(seed: number, steps: number): SphereLog {
  const next = seededNumbers(seed);
  const { owner } = foundWorld(people.owner);
  const writers = [owner, admit(owner, people.member), admit(owner, people.viewer, 'viewer')];
  const tablet = new Writer(createPerson('ben', { device: 'tablet' }), owner.log.sphereId);
  settle(...writers, tablet);
  tablet.certify();
  writers.push(tablet);
  settle(...writers);
  const pick = <T>(list: readonly T[]): T | undefined => list[next(list.length)];
  for (let step = 0; step < steps; step += 1) {
    const writer = pick(writers) ?? owner;
    if (next(3) === 0) writer.receive(pick(writers) ?? owner);
    const target = pick(writer.log.events().filter(({ type }) => type === 'message'))?.id;
    const kind = target === undefined ? 0 : next(6);
    if (kind <= 1 || target === undefined) writer.say(`text ${step}`);
    else if (kind === 2) writer.write('reaction', { target, signs: SIGNS.slice(0, next(4)) });
    else if (kind === 3) writer.write('edit', { target, textSha256: sha256Hex(toUtf8(`edit ${step}`)) });
    else if (kind === 4) writer.write('retract', { target, isUndone: next(3) === 0 });
    else writer.write('read', { marks: marksOf(writer.log).slice(0, 1 + next(3)) });
  }
  settle(...writers);
  return owner.log;
}

const marksOf = (log: SphereLog) => [...log.heads()].map(([device, { sequence }]) => ({ device, sequence }));

/** Everything that people see of what was done to messages. */
function seen(log: SphereLog): string {
  const { annotations } = log;
  const messages = log.events().filter(({ type }) => type === 'message');
  const done = messages.map((event) => ({
    id: event.id,
    reactions: annotations.reactions(event.id),
    edit: annotations.edit(event)?.id,
    retraction: annotations.retraction(event)?.id,
  }));
  const read = Object.values(people).map(({ person }) => [...annotations.readBy(person.id)].sort());
  return JSON.stringify({ done, read });
}

const SPHERES = 12;
const spheres = Array.from({ length: SPHERES }, (_, seed) => {
  const log = busySphere(seed, 30);
  return { sphereId: log.sphereId, events: log.events(), expected: seen(log) };
});

function shuffle(events: readonly SignedEvent[], next: (limit: number) => number): SignedEvent[] {
  const all = [...events, ...events.filter(() => next(4) === 0)];
  const keyed = all.map((event) => ({ event, key: next(2 ** 30) }));
  return keyed.sort((a, b) => a.key - b.key).map(({ event }) => event);
}

test('reactions, edits, retractions and read marks amount to the same in any order and however often they come', () => {
  fc.assert(
    fc.property(fc.nat(SPHERES - 1), fc.nat(), (index, seed) => {
      const sphere = spheres[index];
      if (sphere === undefined) return;
      const next = seededNumbers(seed);
      const log = new SphereLog({ sphereId: sphere.sphereId, isDeviceProven });
      let rest = shuffle(sphere.events, next);
      while (rest.length > 0) {
        const length = 1 + next(rest.length);
        log.addAll(rest.slice(0, length));
        rest = rest.slice(length);
      }
      expect(seen(log)).toBe(sphere.expected);
    }),
    { numRuns: fuzzRuns(300) },
  );
});

test('nobody but its author changes a text, nobody but its author, owner and admins takes it away', () => {
  let changes = 0;
  for (const { sphereId, events } of spheres) {
    const log = new SphereLog({ sphereId, isDeviceProven });
    log.addAll(events);
    for (const event of events.filter(({ type }) => type === 'message')) {
      const edit = log.annotations.edit(event);
      const retraction = log.annotations.retraction(event);
      const author = event.header.person;
      expect(edit?.header.person ?? author).toBe(author);
      expect([author, people.owner.person.id]).toContain(retraction?.header.person ?? author);
      changes += Number(edit !== undefined) + Number(retraction !== undefined);
    }
  }
  expect(changes).toBeGreaterThan(10);
});

test('what an admin took away its author does not put back, and an admin does', () => {
  const { owner } = foundWorld(people.owner);
  const member = admit(owner, people.member);
  const message = member.say('unkind words');
  settle(owner, member);
  owner.write('retract', { target: message.id, isUndone: false });
  settle(owner, member);
  member.write('retract', { target: message.id, isUndone: true });
  settle(owner, member);
  expect(owner.log.annotations.retraction(message)?.header.person).toBe(people.owner.person.id);
  owner.write('retract', { target: message.id, isUndone: true });
  expect(owner.log.annotations.retraction(message)).toBeUndefined();
});

test('the signs of one person are one set, whatever device they were given on', () => {
  const { owner } = foundWorld(people.owner);
  const member = admit(owner, people.member);
  const tablet = new Writer(createPerson('ben', { device: 'tablet' }), owner.log.sphereId);
  tablet.receive(member);
  tablet.certify();
  const message = owner.say('look');
  settle(owner, member, tablet);
  member.write('reaction', { target: message.id, signs: ['👍', '❤️', '👍'] });
  tablet.receive(member);
  tablet.write('reaction', { target: message.id, signs: ['😂'] });
  owner.receive(member, tablet);
  expect(owner.log.annotations.reactions(message.id)).toEqual([{ sign: '😂', people: [people.member.person.id] }]);
});
