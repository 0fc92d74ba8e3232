import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import { xml } from '../../src/xmpp/element.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const guestLine = (text: string) => xml('message', { type: 'groupchat', id: text }, xml('body', {}, text));

/** Ben is invited by Ana; whatever his program asks the server about devices on the way in is answered as the test wants. */
async function onTheWayIn() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const { id, row } = await ana.session.members.create('Summer', noSignal);
  await ana.session.members.invite(id, ben.jid, noSignal);
  await world.pass(60_000);
  const { link, directory, storage, members } = ben.session;
  const answer = Promise.withResolvers<void>();
  const deviceList = link.deviceList.bind(link);
  link.deviceList = async (jid) => await answer.promise.then(() => deviceList(jid));
  directory.forget();
  const join = () => members.join(storage.invitations.list('open')[0]?.id ?? '', noSignal);
  const say = (text: string): string => world.server.sayInRoom(row.room, ana.jid, guestLine(text));
  return { world, ben, room: row.room, say, join, answer };
}

test('what a guest says before somebody is in the sphere is shown: earlier lines before their coming and as no news', async () => {
  const { world, ben, say, join, answer } = await onTheWayIn();
  say('long before');
  await world.pass(60_000);
  const joining = join();
  await sleep(20);
  say('on the way');
  await sleep(20);
  answer.resolve();
  const sphere = await joining;
  await world.quiet();
  say('afterwards');
  await world.quiet();
  const { storage, own } = ben.session;
  const shown = ben.session.lines().filter(({ kind, text }) => kind === 'text' || text === 'joined');
  expect(shown.map(({ text }) => text)).toEqual(['long before', 'joined', 'on the way', 'afterwards']);
  expect(storage.messages.countUnread(sphere.row, own)).toBe(2);
});

test('whoever does not get in leaves the room, and what is said there meanwhile is shown once they are in', async () => {
  const { world, ben, room, say, join, answer } = await onTheWayIn();
  answer.reject(new AppError('disconnected', 'lost'));
  await expect(join()).rejects.toThrow('lost');
  expect(ben.session.rooms.isInside(room)).toBe(false);
  say('meanwhile');
  await world.quiet();
  ben.session.link.deviceList = () => Promise.resolve([ben.session.omemo.deviceId]);
  await join();
  await world.quiet();
  expect(ben.session.texts()).toEqual(['meanwhile']);
});
