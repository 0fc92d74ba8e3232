import { expect, test } from 'vitest';
import { xml } from '../../src/xmpp/element.ts';
import { noSignal, SimWorld } from './sim-world.ts';
import { idOf, saidAndShared, say, sphereAt, textsAt, twoSpheres, unheard } from './two-spheres.ts';

const MINUTE = 60_000;

test('what somebody told of is waited for although others, who lack it too, are there after a new connection', async () => {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  await world.sphere(ana, ben, eva);
  const laptop = await world.another(ben);
  const lost = idOf(laptop);
  await world.until(() => [ana, ben, eva].every((one) => sphereAt(one, 'Summer').devices.has(lost)));
  await world.until(() => laptop.session.list.all().length === 1 && ben.session.devices.list().length === 2);
  await world.pass(5 * MINUTE);
  await ben.stop();
  await eva.stop();
  const { archive } = world.server.room(ana.session.sphere('Summer').row.room);
  const before = archive.length;
  say(laptop, 'for ana alone');
  await world.quiet();
  archive.splice(before);
  await laptop.stop();
  await ben.start();
  unheard(ben);
  await world.pass(MINUTE);
  await ana.stop();
  ben.session.link.goOffline();
  await ben.session.goOnline();
  await eva.start();
  await world.pass(2 * MINUTE);
  ben.session.devices.end(lost);
  await world.pass(MINUTE);
  expect(sphereAt(ben, 'Summer').endedDevices.has(lost)).toBe(false);
  await ana.start();
  await world.pass(10 * MINUTE);
  expect(textsAt(ana)).toEqual(['for ana alone']);
});

test('of two new computers one ends nothing by word of the other, before those who have more have told', async () => {
  const { world, ana, ben, item } = await saidAndShared();
  const [kit, gone] = [ben.kit(), idOf(ben)];
  await world.pass(2 * MINUTE);
  await ben.stop();
  const { channel } = ana.session;
  const tell = channel.say.bind(channel);
  channel.say = async (sphere, kind, body) => {
    if (kind === 'heads') await world.clock.sleep(3000, noSignal);
    return await tell(sphere, kind, body);
  };
  const tablet = await world.comeBack('ben', kit, { knows: [ana.jid] });
  unheard(tablet);
  await world.until(() => tablet.session.list.all().length === 1);
  const phone = await world.comeBack('ben', kit, { knows: [ana.jid], endsOthers: true });
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(gone));
  expect([ana, phone].map((one) => sphereAt(one, 'Summer').items.has(item))).toEqual([true, true]);
});

test('whoever has just come ends nothing before those who are there have told what the archive did not keep', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await world.pass(5 * MINUTE);
  await ben.stop();
  const { archive } = world.server.room(ana.session.sphere('Summer').row.room);
  const before = archive.length;
  say(laptop, 'for ana alone');
  await world.quiet();
  archive.splice(before);
  await laptop.stop();
  await ben.start();
  ben.session.devices.end(lost);
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(lost));
  expect([ana, ben].map((one) => textsAt(one))).toEqual([['for ana alone'], ['for ana alone']]);
});

test('what a computer told of itself before it was lost is waited for, also after a restart', async () => {
  const { world, ana, ben, laptop, lost } = await twoSpheres();
  await world.pass(5 * MINUTE);
  unheard(ben);
  const hidden = world.server.deliver;
  const { archive } = world.server.room(ben.session.sphere('Summer').row.room);
  const before = archive.length;
  world.server.deliver = (message, to) => (to === ben.jid ? [] : [message]);
  say(laptop, 'for ana alone');
  await world.quiet();
  archive.splice(before);
  world.server.deliver = hidden;
  await ana.stop();
  laptop.session.logs.meet(laptop.session.sphere('Summer'));
  await world.pass(2 * MINUTE);
  await laptop.stop();
  await ben.stop();
  await ben.start();
  ben.session.devices.end(lost);
  await world.pass(2 * 60 * MINUTE);
  expect(sphereAt(ben, 'Summer').endedDevices.has(lost)).toBe(false);
  await ana.start();
  await world.until(() => sphereAt(ana, 'Summer').endedDevices.has(lost));
  expect([ana, ben].map((one) => textsAt(one))).toEqual([['for ana alone'], ['for ana alone']]);
});

test('a line that an ordinary program encrypted for others is no reason to ask, nor to doubt that all is here', async () => {
  const { world, ana, ben } = await twoSpheres();
  await world.pass(5 * MINUTE);
  const sphere = ben.session.sphere('Summer');
  const asking: string[] = [];
  for (const { name, session } of [ana, ben]) {
    const say = session.channel.say.bind(session.channel);
    session.channel.say = async (of, kind, body) => {
      if ('isAsking' in body || kind === 'want') asking.push(name);
      return await say(of, kind, body);
    };
  }
  const header = xml('header', { sid: '5' }, xml('iv', {}, 'AAAAAAAAAAAAAAAA'), xml('key', { rid: '7' }, 'AAAA'));
  const encrypted = xml('encrypted', { xmlns: 'eu.siacs.conversations.axolotl' }, header, xml('payload', {}, 'AAAA'));
  world.server.sayInRoom(sphere.row.room, ana.jid, xml('message', { id: 'ordinary' }, encrypted));
  await world.quiet();
  expect(ben.session.texts()).toContain('(undecryptable)');
  expect(ben.session.logs.isComplete(sphere)).toBe(true);
  await world.pass(2 * MINUTE);
  expect(asking).toEqual([]);
});
