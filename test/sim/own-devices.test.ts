import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import type { PersonId } from '../../src/base/id.ts';
import { systemRandom } from '../../src/base/random.ts';
import { becomePerson } from '../../src/engine/own-identity.ts';
import { Comeback } from '../../src/spheres/comeback.ts';
import { generateSigningKey } from '../../src/spheres/protocol/keys.ts';
import { xml } from '../../src/xmpp/element.ts';
import { readEphemeral } from '../../src/xmpp/sealed.ts';
import { noSignal, SimPerson, SimWorld } from './sim-world.ts';

const MINUTE = 60_000;
const items = ({ session }: SimPerson) =>
  session.storage.items
    .listAll()
    .map(({ itemId }) => itemId)
    .sort();
const hasKeys = ({ session }: SimPerson) =>
  session
    .sphere()
    .log.events()
    .every(({ type, id }) => type !== 'item' || session.storage.attachments.has(id, 'media-key'));
const unread = ({ session }: SimPerson) => session.storage.messages.countUnread(session.sphere().row, session.own);
const hasAll = (one: SimPerson, other: SimPerson, name?: string) => {
  const [here, there] = [one, other].map(({ session }) =>
    session.list.all().find(({ state }) => !name || state.name === name),
  );
  return here !== undefined && here.log.size > 0 && here.log.size === there?.log.size;
};
const states = ({ session }: SimPerson) => session.devices.list().map(({ state }) => state);

test('a second computer of a person gets every sphere they are in, with all that was said and shared', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  ana.session.messages.say(sphere.id, 'from before');
  await ben.share('beach.mp4');
  await world.quiet();
  const laptop = await world.another(ana);
  await world.until(() => hasAll(laptop, ben));
  expect(laptop.session.sphere().state.name).toBe('Summer');
  expect([laptop.session.texts(), items(laptop), hasKeys(laptop)]).toEqual([['from before'], items(ana), true]);
  expect(laptop.session.eventIds()).toEqual(ben.session.eventIds());
  expect(unread(laptop)).toBe(unread(ana));
  laptop.session.messages.say(sphere.id, 'from the laptop');
  await world.quiet();
  ben.session.messages.say(sphere.id, 'to both');
  await world.quiet();
  for (const one of [ana, ben, laptop]) {
    expect(one.session.texts()).toEqual(['from before', 'from the laptop', 'to both']);
  }
});

test('a line of an ordinary program that was seen at one computer is no news at the other, and is told once', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const { id, row } = await world.sphere(ana, ben);
  const laptop = await world.another(ana);
  await world.until(() => hasAll(laptop, ben));
  const say = (text: string) =>
    world.server.sayInRoom(row.room, ben.jid, xml('message', { type: 'groupchat', id: text }, xml('body', {}, text)));
  say('one');
  say('two');
  await world.pass(5_000);
  expect([unread(ana), unread(laptop)]).toEqual([2, 2]);
  ana.session.reading.markRead(id, 'all');
  await world.pass(10_000);
  expect([unread(ana), unread(laptop)]).toEqual([0, 0]);
  say('three');
  await world.pass(10_000);
  expect([unread(ana), unread(laptop)]).toEqual([1, 1]);
  for (const { session } of [ana, laptop]) session.reading.start();
  await world.pass(10_000);
  const told = ben.session.sphere().log.events();
  expect(told.filter(({ type }) => type === 'read').length).toBe(1);
});

test('a line of an ordinary program is no news either when it comes after the word that it was seen elsewhere', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const { id, row } = await world.sphere(ana, ben);
  const laptop = await world.another(ana);
  await world.until(() => hasAll(laptop, ben));
  await laptop.stop();
  for (const text of ['one', 'two'])
    world.server.sayInRoom(row.room, ben.jid, xml('message', { type: 'groupchat', id: text }, xml('body', {}, text)));
  await world.pass(5_000);
  ana.session.reading.markRead(id, 'all');
  await world.pass(10_000);
  const { answerHistory } = world.server;
  world.server.answerHistory = () => {
    throw new Error('the archive is broken');
  };
  await laptop.start();
  await world.until(() => hasAll(laptop, ben));
  expect(laptop.session.texts()).toEqual([]);
  world.server.answerHistory = answerHistory;
  await world.until(() => laptop.session.texts().length === 2);
  expect(unread(laptop)).toBe(0);
});

test('the older computer is told of the new one and asks for it, the new one asks for nobody; both know their names', async () => {
  const world = new SimWorld();
  const ana = await world.person('ana');
  const laptop = await world.another(ana);
  await world.quiet();
  expect([states(ana), states(laptop)]).toEqual([
    ['here', 'new'],
    ['here', 'known'],
  ]);
  await laptop.session.devices.rename('kitchen');
  await world.quiet();
  expect(ana.session.devices.list()[1]?.name).toBe('kitchen');
  ana.session.devices.confirm(laptop.session.identity.device.id);
  expect(states(ana)).toEqual(['here', 'known']);
});

test('a computer that is there while another of its person joins a sphere gets the keys and all that was shared', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const laptop = await world.another(ana);
  await world.quiet();
  const { id } = await ben.session.members.create('Spring', noSignal);
  await ben.share('beach.mp4');
  await ben.session.members.invite(id, ana.jid, noSignal);
  await world.quiet();
  await world.accept(ana);
  await world.until(() => laptop.session.list.find(id)?.epochs.length === 1);
  await world.until(() => hasAll(laptop, ben, 'Spring'));
  expect(items(laptop)).toEqual(items(ben));
});

test('a sphere that one computer makes or joins comes to the other, also when that one was away', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const laptop = await world.another(ana);
  await world.quiet();
  await ana.session.members.create('Winter', noSignal);
  await world.until(() => hasAll(laptop, ana, 'Winter'));
  expect(laptop.session.sphere('Winter').state.devices.size).toBe(2);
  await laptop.stop();
  const sphere = await ben.session.members.create('Spring', noSignal);
  await ben.session.members.invite(sphere.id, ana.jid, noSignal);
  await world.quiet();
  await world.accept(ana);
  await laptop.start();
  await world.until(() => hasAll(laptop, ben, 'Spring'));
  expect(laptop.session.storage.invitations.list('open')).toEqual([]);
  expect(laptop.session.sphere('Spring').log.size).toBe(ben.session.sphere('Spring').log.size);
});

test('whoever has lost everything gets it back from those they know, without a computer of their own', async () => {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  await world.sphere(ben, ana, eva);
  await eva.share('beach.mp4');
  ana.session.messages.say(ana.session.sphere().id, 'hello');
  await world.quiet();
  const kit = ana.kit();
  await ana.stop();
  const fresh = await world.comeBack(ana.name, kit, { knows: [eva.jid] });
  await world.until(() => hasAll(fresh, eva));
  expect([fresh.session.texts(), items(fresh), hasKeys(fresh)]).toEqual([['hello'], items(eva), true]);
  expect(fresh.session.eventIds()).toEqual(eva.session.eventIds());
});

test('a sphere in which somebody else has our address is none of ours, whoever passes it on', async () => {
  const world = new SimWorld();
  const [mallory, other] = [await world.person('mallory'), await world.person('ana')];
  const sphere = await world.sphere(mallory, other);
  const kit = other.kit();
  await other.stop();
  const person = generateSigningKey<PersonId>(systemRandom);
  const fresh = await world.comeBack('ana', { ...kit, person }, { knows: [mallory.jid] });
  await world.pass(MINUTE);
  const delivered = mallory.session
    .sphere()
    .log.events()
    .map((event) => ({ event, attachments: [] }));
  const sender = { jid: mallory.jid, omemoIdentityKey: toHex(mallory.session.omemo.identityKey) };
  fresh.session.devices.offered({ sphereId: sphere.id, sender, delivered });
  await world.quiet();
  expect(fresh.session.list.all()).toEqual([]);
});

test('a computer that was removed gets nothing that follows, and says that it is out', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  const laptop = await world.another(ben);
  await world.until(() => hasAll(laptop, ana) && ben.session.devices.list().length === 2);
  const { id } = laptop.session.identity.device;
  ben.session.devices.end(id);
  await world.until(
    () => laptop.session.sphere().row.state === 'removed' && ana.session.sphere().currentEpoch.number === 1,
  );
  ana.session.messages.say(sphere.id, 'not for the laptop');
  await ben.share('after.mp4');
  await world.pass(2 * MINUTE);
  expect([ben, ana].map(({ session }) => session.texts())).toEqual([['not for the laptop'], ['not for the laptop']]);
  expect([laptop.session.texts(), items(laptop)]).toEqual([[], []]);
  const numbers = (person: SimPerson) => person.session.storage.epochs.list(sphere.id).map(({ number }) => number);
  expect([numbers(ben).toSorted(), numbers(laptop)]).toEqual([[0, 1], [0]]);
  expect(laptop.session.sphere().row.state).toBe('removed');
  expect(states(ben)).toEqual(['here', 'ended']);
  expect(world.server.account(ben.jid).deviceIds).not.toContain(laptop.session.omemo.deviceId);
});

test('whoever comes back for good ends the computers that are gone, and loses nothing that they had said', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  ben.session.messages.say(sphere.id, 'before the fire');
  await ben.share('beach.mp4');
  await world.quiet();
  const kit = ben.kit();
  const gone = ben.session.identity.device.id;
  await ben.stop();
  const fresh = await world.comeBack(ben.name, kit, { knows: [ana.jid], endsOthers: true });
  const hasEnded = ({ session }: SimPerson) => session.list.all().some(({ state }) => state.endedDevices.has(gone));
  await world.until(() => hasEnded(ana) && hasEnded(fresh) && fresh.session.sphere().epochs.length === 2);
  for (const { session } of [ana, fresh]) {
    expect(session.sphere().state.endedDevices.get(gone)).toBe(fresh.session.identity.person.id);
    expect(session.texts()).toEqual(['before the fire']);
  }
  expect([items(fresh), hasKeys(fresh)]).toEqual([items(ana), true]);
  expect(fresh.session.sphere().currentEpoch.number).toBe(1);
});

test('whoever comes back for good and tells first what they have hears that nobody has more, and ends what is gone', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  const kit = ben.kit();
  const gone = ben.session.identity.device.id;
  await ben.stop();
  let hasTold = false;
  world.server.deliver = (message, to) => {
    const isMoment = readEphemeral(message.stanza) !== undefined;
    if (isMoment && to === ana.jid && message.from === ben.jid) hasTold = true;
    return isMoment && to === ben.jid && !hasTold ? [] : [message];
  };
  const fresh = await world.comeBack(ben.name, kit, { knows: [ana.jid], endsOthers: true });
  const hasEnded = ({ session }: SimPerson) => session.list.all().some(({ state }) => state.endedDevices.has(gone));
  await world.until(() => hasEnded(ana) && hasEnded(fresh));
  expect([hasTold, hasEnded(ana), hasEnded(fresh)]).toEqual([true, true, true]);
});

test('an answer that got lost is asked for again: nobody waits for the next start of the program', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ben, ana);
  const kit = ana.kit();
  await ana.stop();
  const { sayTo } = world.server;
  world.server.sayTo = (jid, ...rest) => (jid === ana.jid ? undefined : sayTo.call(world.server, jid, ...rest));
  const fresh = await world.comeBack(ana.name, kit, { knows: [ben.jid] });
  await world.quiet();
  world.server.sayTo = sayTo;
  expect(fresh.session.list.all()).toEqual([]);
  await world.until(() => hasAll(fresh, ben));
  expect(fresh.session.eventIds()).toEqual(ben.session.eventIds());
});

test('whoever was asked in vain for days is asked again as soon as they come online', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ben, ana);
  const kit = ana.kit();
  await Promise.all([ana.stop(), ben.stop()]);
  const { sayTo } = world.server;
  world.server.sayTo = () => undefined;
  const fresh = await world.comeBack(ana.name, kit, { knows: [ben.jid] });
  for (let day = 0; day < 3; day += 1) await world.pass(24 * 60 * MINUTE);
  world.server.sayTo = sayTo;
  await ben.start();
  fresh.session.link.onStanza.emit(xml('presence', { from: `${ben.jid}/there` }));
  for (let step = 0; step < 12 && !hasAll(fresh, ben); step += 1) await world.pass(10_000);
  expect(fresh.session.list.all().map(({ state }) => state.name)).toEqual(['Summer']);
});

test('a sphere whose folder could not be made comes once it can, without being offered again', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ben, ana);
  const blocked = new SimPerson(world, ana.name, (storage) => {
    becomePerson(storage, ana.kit(), systemRandom);
    Comeback.note(storage, { sinceMs: world.clock.now(), endsOthers: false });
  });
  world.people.push(blocked);
  const spheres = join(blocked.folder.folder, 'spheres');
  await writeFile(spheres, 'a file where a folder is to be');
  await blocked.start();
  await world.quiet();
  await Promise.all([ana.stop(), ben.stop()]);
  expect(blocked.session.list.all()).toEqual([]);
  await rm(spheres);
  await world.until(() => blocked.session.list.all().length === 1);
  expect(blocked.session.sphere().state.name).toBe('Summer');
});

test('a sphere that was handed over in vain is handed over again when the other computer is heard', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  const laptop = await world.another(ana);
  await world.until(() => hasAll(laptop, ben));
  const { sayTo } = world.server;
  world.server.sayTo = () => undefined;
  await ana.session.members.create('Winter', noSignal);
  await world.quiet();
  world.server.sayTo = sayTo;
  expect(laptop.session.list.all()).toHaveLength(1);
  await world.pass(61 * MINUTE);
  await laptop.session.exchange.tell(laptop.session.list.get(sphere.id));
  await world.until(() => hasAll(laptop, ana, 'Winter'));
  expect(laptop.session.sphere('Winter').state.devices.size).toBe(2);
});
