import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { readXmppUri } from '../../src/base/xmpp-uri.ts';
import type { PersonId } from '../../src/base/id.ts';
import { followNotices } from '../../src/engine/notices.ts';
import { peopleCalls } from '../../src/engine/people-calls.ts';
import { viewMembers } from '../../src/engine/sphere-view.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

async function two() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const { id } = await world.sphere(ana, ben);
  return { world, ana, ben, id };
}

const calls = ({ session }: SimPerson, world: SimWorld) =>
  peopleCalls({ holder: { session }, clock: world.clock } as never);
const identity = ({ session }: SimPerson, jid: string) =>
  viewMembers(session, session.sphere()).find((member) => member.jid === jid)?.identity;
const personOf = ({ session }: SimPerson): PersonId => session.sphere().person;

test('two people see the same two numbers, and whoever compared them knows the other from then on', async () => {
  const { world, ana, ben } = await two();
  const atAna = await calls(ana, world).numbers({ person: personOf(ben) }, noSignal);
  const atBen = await calls(ben, world).numbers({ person: personOf(ana) }, noSignal);
  expect([atAna.own, atAna.theirs]).toEqual([atBen.theirs, atBen.own]);
  expect(readXmppUri(atAna.code)).toMatchObject({ jid: ana.jid, person: personOf(ana) });
  expect(identity(ana, ben.jid)).toBe('unverified');
  const answer = { person: personOf(ben), jid: ben.jid };
  await calls(ana, world).verify({ ...answer, isSame: true }, noSignal);
  await ana.stop();
  await ana.start();
  expect([identity(ana, ben.jid), identity(ben, ana.jid)]).toEqual(['verified', 'unverified']);
  await calls(ana, world).verify({ ...answer, isSame: false }, noSignal);
  expect(identity(ana, ben.jid)).toBe('unverified');
});

test('who turns up under the address of somebody verified is told and shown as somebody else, until compared anew', async () => {
  const { world, ana, ben, id } = await two();
  const told: object[] = [];
  const stop = followNotices(ana.session as never, (notice) => told.push(notice), world.clock);
  await calls(ana, world).verify({ person: personOf(ben), jid: ben.jid, isSame: true }, noSignal);
  await ana.session.members.remove(id, ben.jid, noSignal);
  await world.quiet();
  await ben.stop();
  for (const end of ['', '-wal', '-shm']) await rm(ben.folder.path + end, { force: true });
  await ben.start();
  await world.bringIn(ana, ben);
  expect(identity(ana, ben.jid)).toBe('changed');
  expect(told).toEqual([{ code: 'identity-changed', params: { person: 'Ben', sphere: 'Summer' } }]);
  await calls(ana, world).verify({ person: personOf(ben), jid: ben.jid, isSame: true }, noSignal);
  expect(identity(ana, ben.jid)).toBe('verified');
  stop();
});

test('whom one knows is known on one’s other computers, and introduced to those who know one, as long as it is not taken back', async () => {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  await world.sphere(ana, ben, eve);
  const knows = async (who: SimPerson, whom: SimPerson, isSame: boolean) => {
    await calls(who, world).verify({ person: personOf(whom), jid: whom.jid, isSame }, noSignal);
    await world.quiet();
  };
  await knows(ana, ben, true);
  expect(identity(eve, ben.jid)).toBe('unverified');
  await knows(eve, ana, true);
  expect(identity(eve, ben.jid)).toBe('introduced');
  expect(viewMembers(eve.session, eve.session.sphere()).find(({ jid }) => jid === ben.jid)?.introducedBy).toEqual([
    'Ana',
  ]);
  expect(identity(ben, eve.jid)).toBe('unverified');
  const laptop = await world.another(ana);
  await world.until(() => laptop.session.list.all().length > 0 && identity(laptop, ben.jid) === 'verified');
  await knows(laptop, ben, false);
  expect(identity(ana, ben.jid)).toBe('unverified');
  expect(identity(eve, ben.jid)).toBe('unverified');
});

test('an older word that comes after the one that took it back makes nobody known', async () => {
  const { world, ana, ben } = await two();
  const laptop = await world.another(ana);
  await world.until(() => laptop.session.list.all().length > 0 && laptop.session.sphere().state.members.size === 2);
  ana.session.link.goOffline();
  const answer = { person: personOf(ben), jid: ben.jid };
  await calls(ana, world).verify({ ...answer, isSame: true }, noSignal);
  await calls(ana, world).verify({ ...answer, isSame: false }, noSignal);
  const words = ana.session.sphere().log.events();
  const [said, takenBack] = words.filter(({ type }) => type === 'introduce');
  for (const word of [takenBack, said])
    laptop.session.list.take(laptop.session.sphere(), word === undefined ? [] : [word]);
  expect(laptop.session.sphere().log.introduced.get(personOf(ana))?.size).toBe(0);
  expect(identity(laptop, ben.jid)).toBe('unverified');
});
