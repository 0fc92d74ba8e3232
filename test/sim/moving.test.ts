import { expect, test } from 'vitest';
import { parseBareJid } from '../../src/base/id.ts';
import { movedByFormer } from '../../src/spheres/moved-by-former.ts';
import { attr, xml } from '../../src/xmpp/element.ts';
import { DAY, HOUR, family, roomOf } from './moving-family.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

test('a sphere moves to another server: everybody follows, with what waited, and writes there', async () => {
  const { world, ana, ben, eva, sphere, old } = await family();
  ben.session.link.goOffline();
  ben.session.messages.say(sphere.id, 'typed without a connection');
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.quiet();
  expect(roomOf(ana)).toMatch(/^[0-9a-f]{32}@rooms\.other\.sim$/);
  expect(roomOf(eva)).toBe(roomOf(ana));
  eva.session.messages.say(sphere.id, 'here now');
  await world.quiet();
  await ben.session.goOnline();
  await world.pass(60_000);
  const all = ['here now', 'typed without a connection'];
  for (const person of [ana, ben, eva]) {
    expect(roomOf(person)).toBe(roomOf(ana));
    expect(person.session.texts().toSorted()).toEqual(all);
    expect(person.session.storage.outbox.queued()).toEqual([]);
  }
  expect(Object.fromEntries(world.server.room(roomOf(ana)).affiliations)).toEqual({
    [ana.jid]: 'owner',
    [ben.jid]: 'member',
    [eva.jid]: 'member',
  });
  expect(old).toMatch(/@rooms\.sim$/);
});

test('with the old server gone for good, a member who was away comes along with nothing lost', async () => {
  const { world, ana, ben, eva, sphere } = await family();
  await eva.stop();
  ben.session.messages.say(sphere.id, 'the last word there');
  await world.quiet();
  await world.server.stop('rooms.sim');
  ben.session.messages.say(sphere.id, 'it waits');
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.quiet();
  await eva.start();
  await world.pass(120_000);
  for (const person of [ana, ben, eva]) {
    expect(roomOf(person)).toMatch(/@rooms\.other\.sim$/);
    expect(person.session.texts()).toEqual(['the last word there', 'it waits']);
  }
  expect(ben.session.storage.outbox.queued()).toEqual([]);
  expect(ana.session.outgoing.isIdle).toBe(true);
});

test('who was invited before the move and answers after it comes into the new room', async () => {
  const { world, ana, sphere, old } = await family();
  const zoe = await world.person('zoe');
  await ana.session.members.invite(sphere.id, zoe.jid, noSignal);
  await world.quiet();
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.quiet();
  world.server.rooms.delete(old);
  await world.accept(zoe);
  await world.pass(60_000);
  expect([roomOf(zoe), zoe.session.sphere().role]).toEqual([roomOf(ana), 'member']);
  ana.session.messages.say(sphere.id, 'welcome');
  await world.quiet();
  expect(zoe.session.texts()).toEqual(['welcome']);
});

test('the owner’s program removes the old room once all devices were heard in the new one, and leads there', async () => {
  const { world, ana, ben, eva, sphere, old } = await family();
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  await world.quiet();
  await eva.stop();
  await ben.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.pass(5 * DAY);
  expect(world.server.rooms.has(old)).toBe(true);
  world.server.sayInRoom(old, eva.jid, xml('message', {}, xml('body', {}, 'from an ordinary program')));
  await eva.start();
  await world.pass(120_000);
  expect(world.server.rooms.has(old)).toBe(true);
  await world.pass(3 * HOUR);
  expect(world.server.destroyed.get(old)).toBe(roomOf(ana));
  await world.pass(2 * HOUR);
  for (const person of [ana, ben, eva]) {
    expect(person.session.texts()).toEqual(['from an ordinary program']);
    expect(person.session.list.wantedRooms()).toEqual([roomOf(ana)]);
  }
});

test('after thirty days the old room is given up though somebody never came, and an old server that is gone is too', async () => {
  const world = new SimWorld();
  const [ana, eva] = [await world.person('ana'), await world.person('eva')];
  const sphere = await world.sphere(ana, eva);
  const old = sphere.row.room;
  await eva.stop();
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.pass(29 * DAY);
  expect(world.server.rooms.has(old)).toBe(true);
  await world.pass(2 * DAY);
  expect(world.server.destroyed.get(old)).toBe(roomOf(ana));
  await world.server.stop('rooms.other.sim');
  await ana.session.mover.move(sphere.id, 'third.sim', noSignal);
  await world.pass(31 * DAY);
  expect(ana.session.list.wantedRooms()).toEqual([roomOf(ana)]);
  expect(ana.session.storage.outbox.list('queued').filter(({ to }) => to.includes('@rooms.'))).toEqual([]);
}, 120_000);

test('a server that lets us make no room, or is not there, says so, and nothing has changed', async () => {
  const { world, ana, ben, sphere, old } = await family();
  world.server.refusing.add('rooms.closed.sim');
  world.server.stopped.add('rooms.gone.sim');
  const events = ana.session.eventIds();
  for (const server of ['closed.sim', 'gone.sim']) {
    const moved = ana.session.mover.move(sphere.id, server, noSignal);
    await expect(moved).rejects.toMatchObject({ code: 'room-refused' });
  }
  await expect(ben.session.mover.move(sphere.id, 'other.sim', noSignal)).rejects.toMatchObject({ code: 'not-allowed' });
  await world.quiet();
  expect([roomOf(ana), ana.session.eventIds()]).toEqual([old, events]);
  expect([...world.server.rooms.keys()]).toEqual([old]);
});

test('owner and admin who move it at the same time end up in one room, the owner’s', async () => {
  const { world, ana, ben, eva, sphere } = await family();
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  await world.quiet();
  ana.session.link.goOffline();
  await ben.session.mover.move(sphere.id, 'bens.sim', noSignal);
  eva.session.messages.say(sphere.id, 'in the one that is left again');
  await world.quiet();
  ben.session.link.goOffline();
  eva.session.link.goOffline();
  await ana.session.link.goOnline();
  await ana.session.mover.move(sphere.id, 'anas.sim', noSignal);
  for (const { session } of [ana, ben, eva]) session.link.goOffline();
  for (const { session } of [ana, ben, eva]) await session.goOnline();
  await world.pass(120_000);
  for (const person of [ana, ben, eva]) {
    expect(roomOf(person)).toMatch(/@rooms\.anas\.sim$/);
    expect(person.session.texts()).toEqual(['in the one that is left again']);
  }
});

test('a move by an admin that turns out to be beyond their removal is undone', async () => {
  const { world, ana, ben, eva, sphere, old } = await family();
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  await world.quiet();
  ana.session.link.goOffline();
  await ben.session.mover.move(sphere.id, 'bens.sim', noSignal);
  await world.quiet();
  expect(roomOf(eva)).toMatch(/@rooms\.bens\.sim$/);
  const removal = ana.session.members.remove(sphere.id, ben.jid, noSignal);
  await ana.session.goOnline();
  await removal;
  await world.pass(120_000);
  expect([roomOf(ana), roomOf(eva)]).toEqual([old, old]);
  eva.session.messages.say(sphere.id, 'back home');
  await world.quiet();
  expect(ana.session.texts()).toEqual(['back home']);
});

test('who decides is told when somebody who was removed since moved the sphere to a server, until it is moved on', async () => {
  const { world, ana, ben, eva, sphere } = await family();
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  await world.quiet();
  await ben.session.mover.move(sphere.id, 'bens.sim', noSignal);
  await world.quiet();
  const told = ({ session }: SimPerson) => movedByFormer(session.sphere(), session.own);
  expect([ana, ben, eva].map(told)).toEqual([null, null, null]);
  await ana.session.members.remove(sphere.id, ben.jid, noSignal);
  await world.quiet();
  const mover = { jid: ben.jid, server: 'rooms.bens.sim' };
  expect([ana, ben, eva].map(told)).toEqual([mover, null, null]);
  expect(movedByFormer(ana.session.sphere(), parseBareJid('ana@bens.sim'))).toBeNull();
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.quiet();
  expect(told(ana)).toBeNull();
});

test('who was told by nobody in time is told by any member', async () => {
  const { world, ana, ben, eva, sphere } = await family();
  await eva.stop();
  ana.session.link.afterSend = async (stanza) => {
    // The computer burns down as soon as the old room has the word.
    if (attr(stanza, 'type') === 'groupchat') await ana.stop();
  };
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal).catch(() => undefined);
  await world.quiet();
  await world.server.stop('rooms.sim');
  world.server.account(eva.jid).mail.length = 0;
  await world.pass(4 * DAY);
  await eva.start();
  await world.pass(120_000);
  expect(roomOf(eva)).toBe(roomOf(ben));
  ben.session.messages.say(sphere.id, 'found you');
  await world.quiet();
  expect(eva.session.texts()).toEqual(['found you']);
});

test('a program that ends before the word is said leaves no room behind, and nothing has changed', async () => {
  const { world, ana, ben, sphere, old } = await family();
  for (const stopAt of ['create', 'admit'] as const) {
    world.server.onRoomWork = async (work) => {
      if (work === stopAt && ana.isRunning) await ana.stop();
    };
    await expect(ana.session.mover.move(sphere.id, 'other.sim', noSignal)).rejects.toMatchObject({
      code: 'disconnected',
    });
    world.server.onRoomWork = () => Promise.resolve();
    expect(world.server.rooms.size).toBe(2);
    await ana.start();
    await world.quiet();
    expect([...world.server.rooms.keys()]).toEqual([old]);
    expect([roomOf(ana), roomOf(ben)]).toEqual([old, old]);
  }
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.quiet();
  expect(roomOf(ben)).toBe(roomOf(ana));
});

test('a program that ends as soon as the word is kept goes on from there', async () => {
  const { world, ana, ben, eva, sphere } = await family();
  ana.session.list.onChange.on(({ changes }) => {
    if (changes.some(({ kind }) => kind === 'room')) ana.session.link.goOffline();
  });
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await ana.stop();
  await ana.start();
  await world.pass(60_000);
  expect([roomOf(ben), roomOf(eva)]).toEqual([roomOf(ana), roomOf(ana)]);
  expect(roomOf(ana)).toMatch(/@rooms\.other\.sim$/);
});

test('a sphere that was left before it moved is entered in its new room when a new invitation brings it back', async () => {
  const { world, ana, ben, sphere } = await family();
  await ben.session.members.leave(sphere.id, noSignal);
  await world.quiet();
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.quiet();
  await world.bringIn(ana, ben);
  ana.session.messages.say(sphere.id, 'again');
  await world.quiet();
  expect([roomOf(ben), ben.session.texts()]).toEqual([roomOf(ana), ['again']]);
});

test('a further computer, to which a person comes with the kit, finds the sphere where it is', async () => {
  const { world, ana, ben, sphere } = await family();
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.quiet();
  await world.server.stop('rooms.sim');
  const tablet = await world.another(ben);
  await world.until(() => tablet.session.list.all().length === 1);
  await world.pass(60_000);
  ana.session.messages.say(sphere.id, 'hello tablet');
  await world.quiet();
  expect([roomOf(tablet), tablet.session.texts()]).toEqual([roomOf(ana), ['hello tablet']]);
});

test('nobody is led into the room of another sphere', async () => {
  const { world, ana, ben, sphere, old } = await family();
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  const second = await ana.session.members.create('Second', noSignal);
  await world.quiet();
  const { list } = ben.session;
  list.publish(list.get(sphere.id), 'room', { room: second.row.room, number: 1 }, { audience: { kind: 'members' } });
  await world.quiet();
  expect(ana.session.list.get(sphere.id).log.room).toBe(second.row.room);
  expect(ana.session.list.get(sphere.id).row.room).toBe(old);
});
