import { expect, test } from 'vitest';
import { parseBareJid } from '../../src/base/id.ts';
import { viewMessage } from '../../src/engine/message-view.ts';
import { inviteKeyOf } from '../../src/spheres/protocol/invite-proof.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const NEW = parseBareJid('ben@new.sim');
const OLD = parseBareJid('ben@home.sim');

async function three() {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  const sphere = await world.sphere(ana, ben, eve);
  return { world, ana, ben, eve, id: sphere.id, room: sphere.row.room };
}

const membersIn = (person: SimPerson): string[] =>
  [...person.session.sphere().state.members.values()].map(({ jid, role, state }) => `${jid} ${role} ${state}`);

test('who moves to another account keeps sphere, lines and keys, and is let in by the owner under the new one alone', async () => {
  const { world, ana, ben, eve, id, room } = await three();
  const item = await ana.share('beach.mp4');
  ben.session.messages.say(id, 'from the old account');
  await world.quiet();
  const before = ben.session.sphere().state.members.get(OLD);
  await ben.moveTo(NEW);
  await world.quiet();
  for (const person of [ana, ben, eve]) {
    expect(membersIn(person)).toEqual([
      'ana@home.sim owner joined',
      'ben@new.sim member joined',
      'eve@home.sim member joined',
    ]);
  }
  expect(ben.session.sphere().state.members.get(NEW)).toEqual({ ...before, jid: NEW });
  expect(ben.session.rooms.isInside(room)).toBe(true);
  expect([...world.server.room(room).affiliations.keys()].toSorted()).toEqual([ana.jid, NEW, eve.jid].toSorted());
  ben.session.messages.say(id, 'from the new one');
  ana.session.messages.say(id, 'welcome');
  await world.until(() => ben.session.texts().includes('welcome') && eve.session.texts().includes('from the new one'));
  expect(ana.session.texts().toSorted()).toEqual(['from the new one', 'from the old account', 'welcome']);
  expect(eve.session.texts().toSorted()).toEqual(ana.session.texts().toSorted());
  expect(ben.session.sphere().state.items.has(item)).toBe(true);
  expect(ben.session.sphere().epochs.length).toBe(1);
  const { list, storage, delivery, names } = eve.session;
  const lines = eve.session.lines().map((row) => viewMessage({ list, storage, delivery, names, own: eve.jid }, row));
  expect(lines.filter(({ text }) => text.startsWith('from the')).map(({ from }) => from)).toEqual([NEW, NEW]);
  expect(lines.filter(({ text }) => text === 'moved')).toHaveLength(1);
});

test('who is removed after a move has no place in the room under the address of before either', async () => {
  const { world, ana, ben, id, room } = await three();
  await ana.stop();
  await ben.moveTo(NEW);
  await world.quiet();
  await ben.stop();
  await ana.start();
  await world.until(() => ana.session.sphere().state.members.has(NEW));
  await ana.session.members.remove(id, NEW, noSignal);
  await world.pass(60_000);
  const rights = world.server.room(room).affiliations;
  expect([OLD, NEW].filter((jid) => rights.has(jid))).toEqual([]);
});

test('what was ours under the old account is ours under the new one', async () => {
  const { world, ben, id } = await three();
  ben.session.messages.say(id, 'mine');
  await world.quiet();
  await ben.moveTo(NEW);
  const { list, storage, delivery, names } = ben.session;
  const lines = ben.session.lines().map((row) => viewMessage({ list, storage, delivery, names, own: NEW }, row));
  expect(lines.filter(({ text }) => text === 'mine').map(({ mine }) => mine)).toEqual([true]);
  expect(storage.messages.countUnread(ben.session.sphere().row, NEW)).toBe(0);
});

test('an owner who moves keeps sphere and room, with nobody there to help', async () => {
  const { world, ana, ben, eve, id, room } = await three();
  await ben.stop();
  const to = parseBareJid('ana@new.sim');
  await ana.moveTo(to);
  await world.quiet();
  expect(world.server.room(room).affiliations.get(to)).toBe('owner');
  expect(world.server.room(room).affiliations.has(parseBareJid('ana@home.sim'))).toBe(false);
  await ben.start();
  ana.session.members.rename(id, 'Still hers');
  await world.until(
    () => ben.session.sphere().state.name === 'Still hers' && eve.session.sphere().state.name !== 'Summer',
  );
  expect(membersIn(ben)).toContain('ana@new.sim owner joined');
});

test('with the old server gone the owner hears of the move from the new account, believes it and lets them in', async () => {
  const { world, ana, ben, eve, id, room } = await three();
  const moving = ben.moveTo(NEW, true);
  await world.pass(20_000);
  await moving;
  await world.until(() => ben.session.rooms.isInside(room));
  ben.session.messages.say(id, 'here I am');
  await world.until(() => eve.session.texts().includes('here I am'));
  for (const person of [ana, eve]) expect(membersIn(person)).toContain('ben@new.sim member joined');
});

test('whoever moves away from a server that cannot be reached does not wait for it', async () => {
  const { world, ben } = await three();
  const beforeMs = world.clock.now();
  await ben.moveTo(NEW, true);
  expect(world.clock.now()).toBe(beforeMs);
});

test('a member who says that another one moved moves nobody', async () => {
  const { world, ana, eve, id } = await three();
  const evil = await world.person('evil');
  const { members } = ana.session.sphere().state;
  const sphere = eve.session.sphere();
  const forged = eve.session.list.publish(
    sphere,
    'moved',
    { from: OLD, to: evil.jid },
    { audience: { kind: 'members' } },
  );
  await world.quiet();
  expect(ana.session.sphere().log.verdict(forged.id)).toMatchObject({ kind: 'refused' });
  expect([...ana.session.sphere().state.members.keys()]).toEqual([...members.keys()]);
  expect(ana.session.list.get(id).state.moved.size).toBe(0);
});

test('a program that ends after it has said so, and before it has changed, goes on at the old account and can go on moving', async () => {
  const { world, ana, ben, id, room } = await three();
  await ben.session.move.say(NEW, noSignal);
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect(ben.session.rooms.isInside(room)).toBe(true);
  ben.session.messages.say(id, 'in between');
  await world.until(() => ana.session.texts().includes('in between'));
  await ben.moveTo(NEW);
  await world.quiet();
  expect(
    ana.session
      .sphere()
      .log.events()
      .filter(({ type }) => type === 'moved'),
  ).toHaveLength(1);
  expect(ben.session.rooms.isInside(room)).toBe(true);
});

test('another computer of the person that is still at the old account goes on once it moves too', async () => {
  const { world, ana, ben, id, room } = await three();
  const tablet = await world.another(ben);
  await world.until(() => tablet.session.list.all().length === 1);
  await world.quiet();
  await ben.moveTo(NEW);
  await world.quiet();
  await tablet.moveTo(NEW);
  await world.until(() => tablet.session.rooms.isInside(room));
  tablet.session.messages.say(id, 'from the tablet');
  await world.until(() => ana.session.texts().includes('from the tablet'));
  expect(
    ana.session
      .sphere()
      .log.events()
      .filter(({ type }) => type === 'moved'),
  ).toHaveLength(1);
});

test('nobody moves to an address that somebody in their spheres has', async () => {
  const { ben, eve } = await three();
  await expect(ben.session.move.say(eve.jid, noSignal)).rejects.toMatchObject({ code: 'conflict' });
  expect(
    ben.session
      .sphere()
      .log.events()
      .some(({ type }) => type === 'moved'),
  ).toBe(false);
});

test('nobody moves to an address that they were removed from: the log would not let them, and nothing is said', async () => {
  const { world, ana, ben, id } = await three();
  await ana.session.members.remove(id, OLD, noSignal);
  await world.quiet();
  await ben.moveTo(NEW);
  await world.bringIn(ana, ben);
  await expect(ben.session.move.say(OLD, noSignal)).rejects.toMatchObject({ code: 'conflict' });
  expect(membersIn(ana)).toContain('ben@new.sim member joined');
  expect(ben.session.move.goingTo).toBeNull();
});

test('who hears, while they say where they go, that somebody was invited there does not change to that account', async () => {
  const { world, ana, ben, id } = await three();
  for (const word of ['one', 'two', 'three']) ben.session.messages.say(id, word);
  await world.quiet();
  ana.session.link.goOffline();
  const key = inviteKeyOf(new Uint8Array(32));
  const body = { jid: NEW, role: 'member', key } as const;
  const invite = ana.session.list.publish(ana.session.sphere(), 'invite', body, { audience: { kind: 'members' } });
  ben.session.messages.say(id, 'goes before');
  const heard = Promise.withResolvers<void>();
  const stop = ben.session.list.onChange.on(() => {
    if (ben.session.sphere().log.has(invite.id)) heard.resolve();
  });
  ben.session.link.beforeSend = async () => {
    ben.session.link.beforeSend = () => Promise.resolve();
    await ana.session.goOnline();
    await heard.promise;
  };
  await expect(ben.session.move.say(NEW, noSignal)).rejects.toMatchObject({ code: 'conflict' });
  stop();
  await world.quiet();
  expect(membersIn(ana)).toContain('ben@home.sim member joined');
});

test('an owner whose program ends in the middle of a move is the owner still, goes on deciding, and can say that they stay', async () => {
  const { world, ana, ben, eve, id } = await three();
  const zoe = await world.person('zoe');
  const to = parseBareJid('ana@new.sim');
  await ana.session.move.say(to, noSignal);
  await ana.stop();
  await ana.start();
  await world.quiet();
  expect(ana.session.move.goingTo).toBe(to);
  ana.session.members.rename(id, 'Still hers');
  await world.bringIn(ana, zoe);
  await world.until(() => zoe.session.sphere().epochs.length === 1);
  await ana.session.members.remove(id, eve.jid, noSignal);
  await world.quiet();
  zoe.session.messages.say(id, 'welcomed');
  await world.until(() => ana.session.texts().includes('welcomed') && ben.session.texts().includes('welcomed'));
  expect(ben.session.sphere().state.name).toBe('Still hers');
  await ana.session.move.say(ana.jid, noSignal);
  await world.quiet();
  expect(ana.session.move.goingTo).toBeNull();
  expect(membersIn(ben)).toContain('ana@home.sim owner joined');
  zoe.session.messages.say(id, 'still here');
  await world.until(() => ana.session.texts().includes('still here'));
});

test('somebody who leaves in the middle of a move says so', async () => {
  const { world, ana, ben, id } = await three();
  ana.session.members.setRole(id, ben.jid, 'admin');
  await world.quiet();
  await ben.session.move.say(NEW, noSignal);
  await ben.stop();
  await ben.start();
  await world.quiet();
  await ben.session.members.leave(id, noSignal);
  await world.quiet();
  expect(membersIn(ana)).toContain('ben@new.sim admin left');
});
