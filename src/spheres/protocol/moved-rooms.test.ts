import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPerson, isDeviceProven } from '../../../test/fixtures/protocol/people.ts';
import { seededNumbers } from '../../../test/fixtures/protocol/random-sphere.ts';
import type { Writer } from '../../../test/fixtures/protocol/sphere-world.ts';
import { admit, foundWorld, ROOM, settle } from '../../../test/fixtures/protocol/sphere-world.ts';
import type { EventId } from '../../base/id.ts';
import type { SignedEvent } from './event.ts';
import { SphereLog } from './sphere-log.ts';

const [ana, ben, eve, kim] = [createPerson('ana'), createPerson('ben'), createPerson('eve'), createPerson('kim')];

function family() {
  const { owner } = foundWorld(ana);
  const [admin, other] = [admit(owner, ben, 'admin'), admit(owner, kim, 'admin')];
  const member = admit(owner, eve);
  const everybody = [owner, admin, other, member];
  settle(...everybody);
  return { owner, admin, other, member, everybody };
}

test('a sphere is in the room that it was founded in until an owner or admin says that it moved', () => {
  const { owner, admin, everybody } = family();
  expect([owner.log.room, owner.log.moved]).toEqual([ROOM, null]);
  const move = admin.move('new');
  settle(...everybody);
  expect(everybody.map(({ log }) => [log.room, log.moved?.id])).toEqual(
    everybody.map(() => ['new@rooms.example.net', move.id]),
  );
});

test('a move that a member or viewer writes is refused', () => {
  const { owner, member } = family();
  const viewer = admit(owner, createPerson('zoe'), 'viewer');
  const moves = [member.move('members'), viewer.move('viewers')];
  owner.receive(member, viewer);
  const refused = { kind: 'refused', reason: 'not-allowed' };
  expect(moves.map(({ id }) => owner.log.verdict(id))).toEqual([refused, refused]);
  expect(owner.log.room).toBe(ROOM);
});

test('of two moves at the same time the owner’s holds, else the first, and whoever moves on from there moves all', () => {
  const { owner, admin, other, everybody } = family();
  const [bens, kims] = [admin.move('bens'), other.move('kims')];
  settle(admin, other);
  const [first] = [bens, kims].toSorted((a, b) => (a.header.device < b.header.device ? -1 : 1));
  expect(admin.log.moved?.id).toBe(first?.id);
  const anas = owner.move('anas');
  settle(...everybody);
  expect(everybody.map(({ log }) => log.moved?.id)).toEqual(everybody.map(() => anas.id));
  const next = admin.move('next');
  settle(...everybody);
  expect([next.body.number, ...everybody.map(({ log }) => log.moved?.id)]).toEqual([
    2,
    ...everybody.map(() => next.id),
  ]);
});

test('a move that a removed admin wrote beyond the line of the removal counts for nobody, whenever it comes', () => {
  const { owner, admin, member, everybody } = family();
  const known = admin.move('known');
  owner.receive(admin);
  const beyond = admin.move('beyond');
  member.receive(admin);
  expect(member.log.moved?.id).toBe(beyond.id);
  owner.remove(ben.jid);
  settle(...everybody);
  expect(everybody.map(({ log }) => log.moved?.id)).toEqual(everybody.map(() => known.id));
});

test('an admin who writes the highest number there is keeps nobody from moving the sphere', () => {
  const { owner, admin, member, everybody } = family();
  const far = admin.write('room', { room: 'far@rooms.example.net', number: Number.MAX_SAFE_INTEGER });
  settle(...everybody);
  expect(owner.log.moved?.id).toBe(far.id);
  const [back, again] = [owner.move('back'), owner.move('again')];
  settle(...everybody);
  expect(member.log.moved?.id).toBe(again.id);
  expect(again.body.number).toBe(back.body.number + 1);
});

test('whoever knows only the newest moves finds the room that those who know all of them find', () => {
  const { owner, admin, everybody } = family();
  for (const name of ['one', 'two', 'three']) {
    owner.move(name);
    settle(...everybody);
  }
  const together = [admin.move('bens'), owner.move('anas')];
  settle(...everybody);
  const foundation = owner.log
    .events()
    .filter(({ type, id }) => type !== 'room' || together.some((one) => one.id === id));
  const log = new SphereLog({ sphereId: owner.log.sphereId, isDeviceProven });
  log.addAll(foundation);
  expect([owner.log.room, log.room]).toEqual(['anas@rooms.example.net', 'anas@rooms.example.net']);
});

/** Owner, admins and a member move the sphere without always knowing of each other, while admins come and go. */
function restlessSphere(seed: number): SphereLog {
  const next = seededNumbers(seed);
  const { owner, admin, other, member, everybody } = family();
  const pick = (): Writer => everybody[next(everybody.length)] ?? owner;
  for (let step = 0; step < 24; step += 1) {
    const writer = pick();
    if (next(3) === 0) writer.receive(pick());
    const chance = next(12);
    if (chance === 0) owner.remove((next(2) === 0 ? ben : kim).jid);
    else if (chance === 1) owner.setRole(ben.jid, next(2) === 0 ? 'member' : 'admin');
    else if (chance === 2)
      writer.write('room', { room: `far${step}@rooms.example.net`, number: Number.MAX_SAFE_INTEGER });
    else writer.move(`room${step}`);
  }
  settle(owner, admin, other, member);
  return owner.log;
}

test('in any order and with any repetition the same moves lead to the same room', () => {
  const spheres = Array.from({ length: 16 }, (_, seed) => restlessSphere(seed));
  const refused = spheres.map((log) => log.events().filter(({ id, type }) => type === 'room' && isRefused(log, id)));
  // Otherwise the spheres would be too tame to show anything.
  expect(spheres.filter(({ moved }) => moved !== null).length).toBeGreaterThan(10);
  expect(refused.flat().length).toBeGreaterThan(10);
  fc.assert(
    fc.property(fc.constantFrom(...spheres), fc.nat(), (expected, seed) => {
      const next = seededNumbers(seed);
      const events = expected.events();
      const keyed = [...events, ...events.filter(() => next(4) === 0)].map((event) => ({ event, key: next(2 ** 30) }));
      const log = new SphereLog({ sphereId: expected.sphereId, isDeviceProven });
      let rest: SignedEvent[] = keyed.toSorted((a, b) => a.key - b.key).map(({ event }) => event);
      while (rest.length > 0) {
        const length = 1 + next(rest.length);
        log.addAll(rest.slice(0, length));
        rest = rest.slice(length);
      }
      expect([log.room, log.moved?.id]).toEqual([expected.room, expected.moved?.id]);
    }),
    { numRuns: process.env['SPHERECAST_LONG'] === '1' ? 20_000 : 200 },
  );
}, 600_000);

function isRefused(log: SphereLog, id: EventId): boolean {
  return log.verdict(id)?.kind === 'refused';
}
