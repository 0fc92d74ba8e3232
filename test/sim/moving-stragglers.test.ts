import { expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import { xml } from '../../src/xmpp/element.ts';
import { DAY, HOUR, family, roomOf } from './moving-family.ts';
import { noSignal, SimWorld } from './sim-world.ts';

test('what a computer said in the room that was left is not refused because the computer is ended before it was read', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  const old = sphere.row.room;
  const phone = await world.another(ben);
  await world.until(() => ana.session.sphere().state.devices.size === 3);
  const lost = phone.session.identity.device.id;
  await ana.stop();
  await ben.stop();
  phone.session.messages.say(sphere.id, 'the last word');
  await world.quiet();
  await phone.stop();
  let isSilent = true;
  world.server.answerHistory = (entries, room) => {
    if (isSilent && room === old) throw new Error('the archive is slow');
    return entries;
  };
  await ana.start();
  await ben.start();
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.quiet();
  expect(roomOf(ben)).toBe(roomOf(ana));
  ben.session.devices.end(lost);
  await world.pass(2 * HOUR);
  expect(ana.session.sphere().state.endedDevices.has(lost)).toBe(false);
  isSilent = false;
  await world.until(() => ana.session.sphere().state.endedDevices.has(lost));
  // Whoever reads it later than the end still may.
  await world.pass(5 * 60_000);
  expect([ana, ben].map(({ session }) => session.texts())).toEqual([['the last word'], ['the last word']]);
});

test('a computer is ended although the server of the room that was left is gone, when others are there', async () => {
  const { world, ana, ben, sphere } = await family();
  const phone = await world.another(ben);
  await world.until(() => ana.session.sphere().state.devices.size === 4);
  const lost = phone.session.identity.device.id;
  await phone.stop();
  await world.server.stop('rooms.sim');
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.quiet();
  ben.session.devices.end(lost);
  await world.pass(5 * HOUR);
  expect(ana.session.sphere().state.endedDevices.has(lost)).toBe(true);
});

test('the old room is not removed while somebody who is invited may still come by it', async () => {
  const { world, ana, sphere, old } = await family();
  const zoe = await world.person('zoe');
  await ana.session.members.invite(sphere.id, zoe.jid, noSignal);
  await world.quiet();
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.pass(5 * HOUR);
  expect(world.server.rooms.has(old)).toBe(true);
  await world.accept(zoe);
  await world.pass(5 * HOUR);
  expect(world.server.destroyed.get(old)).toBe(roomOf(zoe));
});

test('who was invited by somebody of whom the mover did not know learns of the new room from whoever invited', async () => {
  const { world, ana, ben, sphere } = await family();
  const zoe = await world.person('zoe');
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  await world.quiet();
  const { deliver } = world.server;
  world.server.deliver = (message, to) => (to === ana.jid ? [] : [message]);
  await ben.session.members.invite(sphere.id, zoe.jid, noSignal);
  await world.quiet();
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  world.server.deliver = deliver;
  await world.quiet();
  const [invitation] = zoe.session.storage.invitations.list('open');
  expect(invitation?.room).toBe(roomOf(ana));
  await world.accept(zoe);
  await world.pass(120_000);
  expect([roomOf(zoe), zoe.session.sphere().role]).toEqual([roomOf(ana), 'member']);
});

test('an invitation leads back to the old room when the move turns out to be refused', async () => {
  const { world, ana, ben, eva, sphere, old } = await family();
  const zoe = await world.person('zoe');
  for (const { jid } of [ben, eva]) ana.session.members.setRole(sphere.id, jid, 'admin');
  await world.quiet();
  await eva.session.members.invite(sphere.id, zoe.jid, noSignal);
  await world.quiet();
  ana.session.link.goOffline();
  await ben.session.mover.move(sphere.id, 'bens.sim', noSignal);
  await world.quiet();
  const roomOfInvitation = () => zoe.session.storage.invitations.list('open').map(({ room }) => room);
  expect(roomOfInvitation()).toEqual([roomOf(ben)]);
  const removal = ana.session.members.remove(sphere.id, ben.jid, noSignal);
  await ana.session.goOnline();
  await removal;
  await world.pass(120_000);
  expect([roomOf(eva), ...roomOfInvitation()]).toEqual([old, old]);
});

test('who is removed after the move has no place in the old room any more, and says nothing to us there', async () => {
  const { world, ana, ben, eva, sphere, old } = await family();
  await eva.stop();
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.quiet();
  await ana.session.members.remove(sphere.id, ben.jid, noSignal);
  await world.pass(60_000);
  expect([...world.server.room(old).affiliations.keys()]).toEqual([ana.jid, eva.jid]);
  world.server.sayInRoom(old, ben.jid, xml('message', {}, xml('body', {}, 'still here')));
  world.server.sayInRoom(old, eva.jid, xml('message', {}, xml('body', {}, 'from another program')));
  await world.quiet();
  expect(ana.session.texts()).toEqual(['from another program']);
});

test('what somebody said in the old room before the move is shown also when it is read after their removal', async () => {
  const { world, ana, ben, eva, sphere, old } = await family();
  const said = xml('message', {}, xml('body', {}, 'on Monday'));
  await eva.stop();
  world.server.sayInRoom(old, ben.jid, said);
  await world.pass(60_000);
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.quiet();
  await ana.session.members.remove(sphere.id, ben.jid, noSignal);
  await world.pass(60_000);
  await eva.start();
  await world.until(() => eva.session.texts().includes('on Monday'));
  expect(eva.session.texts()).toEqual(['on Monday']);
});

test('a room that was left is given up as soon as it is gone, and one that is made in its place is not entered', async () => {
  const { world, ana, ben, eva, sphere, old } = await family();
  await eva.stop();
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.quiet();
  expect(ben.session.list.wantedRooms()).toEqual([roomOf(ana), old]);
  await ana.session.rooms.destroy(old, null, noSignal);
  await world.quiet();
  expect(ben.session.list.wantedRooms()).toEqual([roomOf(ana)]);
});

test.each([12, 40])(
  'who was away for %i days, longer than servers kept the word of the move, comes along',
  async (days) => {
    const { world, ana, eva, sphere, old } = await family();
    await eva.stop();
    await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
    await world.pass(10 * DAY);
    world.server.account(eva.jid).mail.length = 0;
    world.server.room(old).archive.length = 0;
    await world.pass((days - 10) * DAY);
    await eva.start();
    await world.pass(2 * HOUR);
    expect(roomOf(eva)).toBe(roomOf(ana));
    ana.session.messages.say(sphere.id, 'found you');
    await world.quiet();
    expect(eva.session.texts()).toEqual(['found you']);
  },
  120_000,
);

test('a disk that is full as soon as the word of a move is kept does not take the new room away', async () => {
  const { world, ana, ben, sphere } = await family();
  const { settings } = ana.session.storage;
  const set = settings.set.bind(settings);
  ana.session.list.onChange.on(({ changes }) => {
    if (!changes.some(({ kind }) => kind === 'room')) return;
    settings.set = () => {
      throw new Error('the disk is full');
    };
  });
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal).catch(() => undefined);
  settings.set = set;
  await world.quiet();
  expect(ana.session.sphere().log.room).toMatch(/@rooms\.other\.sim$/);
  expect(world.server.destroyed).toEqual(new Map());
  expect(roomOf(ben)).toBe(roomOf(ana));
});

test('who is invited while the new room is made is let into it at once', async () => {
  const { world, ana, sphere } = await family();
  const zoe = await world.person('zoe');
  let isInvited = false;
  world.server.onRoomWork = async (work) => {
    if (work !== 'admit' || isInvited) return;
    isInvited = true;
    await ana.session.members.invite(sphere.id, zoe.jid, noSignal);
  };
  await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await world.quiet();
  expect(world.server.room(roomOf(ana)).affiliations.get(zoe.jid)).toBe('member');
});

test('of many rooms that a sphere has left only the newest are read', async () => {
  const { world, ana, ben, eva, sphere, old } = await family();
  await eva.stop();
  for (let move = 0; move < 10; move += 1) {
    await ana.session.mover.move(sphere.id, 'other.sim', noSignal);
    await world.quiet();
  }
  const rooms = ben.session.list.wantedRooms();
  expect([rooms.length, rooms.includes(old), rooms[0]]).toEqual([9, false, roomOf(ana)]);
  expect(ben.session.rooms.isInside(old)).toBe(false);
});

test('a room that was made in vain at a server that is gone is not asked for without end', async () => {
  const { world, ana, sphere } = await family();
  world.server.onRoomWork = async () => {
    await world.server.stop('rooms.other.sim');
    throw new AppError('server-unreachable', 'no answer from the service');
  };
  const moved = ana.session.mover.move(sphere.id, 'other.sim', noSignal);
  await expect(moved).rejects.toMatchObject({ code: 'room-refused' });
  const noted = () => ana.session.storage.settings.get('rooms-made', (value) => value as unknown[]);
  await ana.session.mover.takeBack(noSignal);
  expect(noted()).toHaveLength(1);
  await world.pass(31 * DAY);
  await ana.session.mover.takeBack(noSignal);
  expect(noted()).toEqual([]);
});
