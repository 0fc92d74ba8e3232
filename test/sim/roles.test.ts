import { expect, test } from 'vitest';
import { noSignal, SimWorld } from './sim-world.ts';

const HOUR = 3_600_000;

async function family() {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const sphere = await world.sphere(ana, ben, eva);
  const rights = () => Object.fromEntries(world.server.room(sphere.row.room).affiliations);
  const roles = () =>
    Object.fromEntries([...eva.session.sphere().state.members.values()].map(({ jid, role }) => [jid, role]));
  return { world, ana, ben, eva, sphere, rights, roles };
}

test('the first admin owns the room too, a later one may admit people, and who loses the role loses the right', async () => {
  const { world, ana, ben, eva, sphere, rights, roles } = await family();
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  await world.quiet();
  expect(rights()).toEqual({ [ana.jid]: 'owner', [ben.jid]: 'owner', [eva.jid]: 'member' });
  ana.session.members.setRole(sphere.id, eva.jid, 'admin');
  await world.quiet();
  expect(rights()).toEqual({ [ana.jid]: 'owner', [ben.jid]: 'owner', [eva.jid]: 'admin' });
  ana.session.members.setRole(sphere.id, ben.jid, 'viewer');
  await world.quiet();
  expect(rights()).toEqual({ [ana.jid]: 'owner', [ben.jid]: 'member', [eva.jid]: 'owner' });
  expect(roles()).toEqual({ [ana.jid]: 'owner', [ben.jid]: 'viewer', [eva.jid]: 'admin' });
});

test('with the owner gone for good, admins invite, remove, change the key and let people in', async () => {
  const { world, ana, ben, eva, sphere } = await family();
  const zoe = await world.person('zoe');
  const { room } = sphere.row;
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  await world.quiet();
  await ana.stop();
  const epoch = ben.session.sphere().currentEpoch.eventId;
  await ben.session.members.remove(sphere.id, eva.jid, noSignal);
  await world.quiet();
  await world.bringIn(ben, zoe);
  await ben.share('after.mp4');
  await world.quiet();
  expect(eva.session.sphere().row.state).toBe('removed');
  expect(ben.session.sphere().currentEpoch.eventId).not.toBe(epoch);
  expect(zoe.session.sphere().currentEpoch.eventId).toBe(ben.session.sphere().currentEpoch.eventId);
  expect(zoe.session.sphere().state.items.size).toBe(1);
  world.server.setAffiliation(room, zoe.jid, 'none');
  await world.pass(2 * HOUR);
  expect(world.server.room(room).affiliations.get(zoe.jid)).toBe('member');
});

test('rights that the server gives or takes by itself are set back, and count for nothing', async () => {
  const { world, ana, ben, eva, sphere, rights, roles } = await family();
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  await world.quiet();
  const { affiliations } = world.server.room(sphere.row.room);
  affiliations.set(eva.jid, 'owner');
  affiliations.set(ben.jid, 'member');
  expect(roles()[eva.jid]).toBe('member');
  await expect(eva.session.members.remove(sphere.id, ben.jid, noSignal)).rejects.toMatchObject({ code: 'not-allowed' });
  await world.pass(2 * HOUR);
  expect(rights()).toEqual({ [ana.jid]: 'owner', [ben.jid]: 'owner', [eva.jid]: 'member' });
});

test('an admin makes no admins, and touches neither owner nor admins', async () => {
  const { world, ana, ben, eva, sphere } = await family();
  const zoe = await world.person('zoe');
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  ana.session.members.setRole(sphere.id, eva.jid, 'admin');
  await world.quiet();
  const { members } = ben.session;
  const refused = expect.objectContaining({ code: 'not-allowed' });
  expect(() => members.setRole(sphere.id, eva.jid, 'member')).toThrow(refused);
  expect(() => members.setRole(sphere.id, ana.jid, 'member')).toThrow(refused);
  expect(() => members.setRole(sphere.id, ben.jid, 'member')).toThrow(refused);
  await expect(members.inviteAs(sphere.id, zoe.jid, 'admin', noSignal)).rejects.toEqual(refused);
  await members.inviteAs(sphere.id, zoe.jid, 'viewer', noSignal);
  await world.quiet();
  await world.accept(zoe);
  expect(ana.session.sphere().state.members.get(zoe.jid)).toMatchObject({ role: 'viewer', state: 'joined' });
});

test('a new name is seen by everybody, and only owner and admins give one', async () => {
  const { world, ana, ben, eva, sphere } = await family();
  ana.session.members.rename(sphere.id, 'Winter');
  await world.quiet();
  expect([ben, eva].map(({ session }) => session.sphere().state.name)).toEqual(['Winter', 'Winter']);
  expect(() => ben.session.members.rename(sphere.id, 'Mine')).toThrow(expect.objectContaining({ code: 'not-allowed' }));
});

test('what a viewer shares against the rules is listed for nobody, what they write is', async () => {
  const { world, ana, ben, sphere } = await family();
  ana.session.members.setRole(sphere.id, ben.jid, 'viewer');
  await world.quiet();
  await expect(ben.share('mine.mp4')).rejects.toMatchObject({ code: 'not-allowed' });
  ben.session.messages.say(sphere.id, 'nice pictures');
  await world.quiet();
  expect(ana.session.texts()).toEqual(['nice pictures']);
  expect(ana.session.storage.items.listAll()).toEqual([]);
});
