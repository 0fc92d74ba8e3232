import { expect, test } from 'vitest';
import type { DeviceKey, EventId } from '../../src/base/id.ts';
import { systemRandom } from '../../src/base/random.ts';
import { buildEvent } from '../../src/spheres/protocol/event.ts';
import { generateSigningKey, sha256Hex } from '../../src/spheres/protocol/keys.ts';
import { readEphemeral } from '../../src/xmpp/sealed.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const MINUTE = 60_000;

/** The server loses stored messages to some receivers, live and in its archive; words of the moment pass. */
function hide(world: SimWorld, isHidden: (to: SimPerson['jid'], number: number) => boolean): () => number {
  const hidden = new Map<string, boolean>();
  let count = 0;
  world.server.deliver = (message, to) => {
    if (readEphemeral(message.stanza) !== undefined || message.from === to) return [message];
    const key = `${to} ${message.stanzaId}`;
    const known = hidden.get(key) ?? isHidden(to, hidden.size);
    hidden.set(key, known);
    if (known) count += 1;
    return known ? [] : [message];
  };
  world.server.answerHistory = (entries) => entries.filter(() => false);
  return () => count;
}

/** Whether something must be somewhere that is not here. */
function isLacking({ session }: SimPerson): boolean {
  return session.sphere().log.missing().ranges.length > 0;
}

/** Time passes in steps short enough for questions and answers to go to and fro. */
async function wait(world: SimWorld, ms: number): Promise<void> {
  for (let step = 0; step < 8; step += 1) await world.pass(ms / 8);
}

/** A further computer, of which nothing gets to some people until the server delivers again. */
async function newComputer(world: SimWorld, person: SimPerson, unaware: readonly SimPerson[]) {
  const hidden = new Set<string | null>();
  world.server.deliver = (message, to) => {
    if (!unaware.some(({ jid }) => jid === to)) return [message];
    hidden.add(message.stanzaId);
    return [];
  };
  world.server.answerHistory = (entries) => entries.filter(({ id }) => !hidden.has(id));
  const laptop = await world.another(person);
  const { id } = laptop.session.identity.device;
  const knows = ({ session }: SimPerson) => session.list.all().some(({ state }) => state.devices.has(id));
  return { laptop, knows };
}

async function three() {
  const world = new SimWorld();
  const people = [await world.person('ana'), await world.person('ben'), await world.person('eva')] as const;
  const [ana, ...others] = people;
  const sphere = await world.sphere(ana, ...others);
  await world.pass(MINUTE);
  return { world, ana, ben: people[1], eva: people[2], people, sphere };
}

test('of 40 messages that a server drops as it likes, live and in its archive, every one comes', async () => {
  const { world, people, sphere } = await three();
  const dropped = hide(world, () => world.chance(3) > 0);
  for (let number = 0; dropped() < 40; number += 1) {
    people[number % 3]?.session.messages.say(sphere.id, `line ${number}`);
    if (number % 3 === 0) await world.pass(1_000 * world.chance(20));
  }
  await wait(world, 10 * MINUTE);
  const all = people[0].session.texts().toSorted();
  expect(all.length).toBeGreaterThanOrEqual(20);
  for (const { session } of people) {
    expect(session.texts().toSorted()).toEqual(all);
    expect(session.eventIds()).toEqual(people[0].session.eventIds());
  }
});

test('the last message, which nothing follows, comes as well', async () => {
  const { world, ana, ben, sphere } = await three();
  hide(world, (to) => to === ben.jid);
  ana.session.messages.say(sphere.id, 'the last word');
  await world.quiet();
  expect(ben.session.texts()).toEqual([]);
  await wait(world, 5 * MINUTE);
  expect(ben.session.texts()).toEqual(['the last word']);
});

test('whoever comes back after the archive has expired gets from a member what another one said and left', async () => {
  const { world, ana, ben, eva, sphere } = await three();
  await ben.stop();
  ana.session.messages.say(sphere.id, 'said while ben was away');
  const item = await ana.share('beach.mp4');
  await world.quiet();
  await ana.stop();
  world.server.answerHistory = () => [];
  await ben.start();
  await wait(world, MINUTE);
  expect(ben.session.texts()).toEqual(['said while ben was away']);
  expect(ben.session.eventIds()).toEqual(eva.session.eventIds());
  const theirs = ben.session.sphere();
  expect(ben.session.source.mediaKey(theirs, ben.session.source.event(theirs, item))).not.toBeNull();
});

/** Ben lacks a line in the middle, and from then on no word of the moment comes to him. */
async function gapThatDoesNotShow() {
  const { world, ana, ben, sphere } = await three();
  hide(world, (to) => to === ben.jid);
  ana.session.messages.say(sphere.id, 'hidden from ben');
  await world.quiet();
  world.server.deliver = (message, to) =>
    readEphemeral(message.stanza) !== undefined && to === ben.jid ? [] : [message];
  ana.session.messages.say(sphere.id, 'heard by all');
  await world.quiet();
  // What was heard of the others before is forgotten with a restart.
  const restart = async (): Promise<void> => {
    await ben.stop();
    await ben.start();
  };
  return { world, ben, restart };
}

test('whoever has a gap that does not show, and missed what the others told, says it again until somebody answers', async () => {
  const { world, ben, restart } = await gapThatDoesNotShow();
  await restart();
  await wait(world, 6 * MINUTE);
  expect(ben.session.texts()).toEqual(['heard by all']);
  world.server.deliver = (message) => [message];
  await wait(world, 20 * MINUTE);
  expect(ben.session.texts().toSorted()).toEqual(['heard by all', 'hidden from ben']);
});

test('whoever has a gap is answered however often it asked before and missed the answer', async () => {
  const { world, ben, restart } = await gapThatDoesNotShow();
  for (let times = 0; times < 4; times += 1) {
    await restart();
    await wait(world, MINUTE);
  }
  world.server.deliver = (message) => [message];
  await wait(world, 4 * MINUTE);
  expect(ben.session.texts().toSorted()).toEqual(['heard by all', 'hidden from ben']);
});

test('what somebody tells of and cannot give comes from another one, who had no reason to say anything', async () => {
  const { world, ana, ben, eva, sphere } = await three();
  hide(world, (to) => to === ben.jid);
  const { deliver } = world.server;
  const isWord = (stanza: Parameters<typeof readEphemeral>[0]): boolean => readEphemeral(stanza) !== undefined;
  // Ana's words of the moment come to nobody; and what Eva writes to Ben gets lost.
  world.server.deliver = (message, to) =>
    message.from === ana.jid && to !== ana.jid && isWord(message.stanza) ? [] : deliver(message, to);
  const sayTo = world.server.sayTo.bind(world.server);
  world.server.sayTo = (jid, from, stanza) => {
    if (from !== eva.jid || jid !== ben.jid) sayTo(jid, from, stanza);
  };
  ana.session.messages.say(sphere.id, 'hidden from ben');
  await wait(world, 5 * MINUTE);
  expect(ben.session.texts()).toEqual([]);
  world.server.deliver = deliver;
  await wait(world, 15 * MINUTE);
  expect(ben.session.texts()).toEqual(['hidden from ben']);
});

test('a new computer whose certificate a server hides from somebody is made known by itself, and what it said comes', async () => {
  const { world, ana, ben, eva, sphere } = await three();
  const { laptop, knows } = await newComputer(world, ben, [eva]);
  await world.until(() => knows(laptop) && knows(ana));
  // Nobody is left who could pass it on.
  await Promise.all([ana.stop(), ben.stop()]);
  world.server.deliver = (message) => [message];
  expect(knows(eva)).toBe(false);
  laptop.session.messages.say(sphere.id, 'from the laptop');
  await wait(world, 20 * MINUTE);
  expect([knows(eva), eva.session.texts()]).toEqual([true, ['from the laptop']]);
});

test('a new computer that nobody knows, and that is on for moments once a day only, makes itself known all the same', async () => {
  const { world, ana, ben, eva } = await three();
  const { laptop, knows } = await newComputer(world, ben, [eva]);
  await world.until(() => knows(laptop) && knows(ana));
  await Promise.all([ana.stop(), ben.stop()]);
  world.server.deliver = (message) => [message];
  for (let day = 0; day < 3; day += 1) {
    await laptop.stop();
    await wait(world, 24 * 60 * MINUTE);
    await laptop.start();
    await wait(world, 5 * MINUTE);
  }
  expect(knows(eva)).toBe(true);
});

test('of a computer that is off, and whose certificate a server hid from all who are there, whoever has it tells', async () => {
  const { world, ana, ben, eva, sphere } = await three();
  const { laptop, knows } = await newComputer(world, ben, [ana, eva]);
  await world.until(() => knows(laptop) && knows(ben));
  await ben.stop();
  world.server.deliver = (message) => [message];
  const line = laptop.session.messages.say(sphere.id, 'from the laptop');
  await world.quiet();
  await laptop.stop();
  await wait(world, 30 * MINUTE);
  for (const { session } of [ana, eva]) expect(session.sphere().log.verdict(line)?.kind).toBe('held');
  await ben.start();
  await wait(world, 5 * MINUTE);
  for (const { session } of [ana, eva]) expect(session.texts()).toEqual(['from the laptop']);
});

test('an event of a device that nobody certified does not make members tell each other without end', async () => {
  const { world, ana, ben, people } = await three();
  const sphere = ben.session.sphere();
  const device = generateSigningKey<DeviceKey>(systemRandom);
  const place = {
    ...sphere.log.nextHeader(device.id, 0),
    sequence: 1,
    previous: sha256Hex(new Uint8Array()) as EventId,
  };
  const author = { person: ana.session.identity.person.id, device };
  const body = { textSha256: sha256Hex(new Uint8Array()), replyTo: null };
  const event = buildEvent(author, place, 'message', body);
  sphere.enqueue(event, [], { audience: { kind: 'members' } });
  ben.session.outgoing.poke();
  await world.quiet();
  expect(ana.session.sphere().log.verdict(event.id)).toEqual({ kind: 'held', reason: 'certificate-missing' });
  let heard = 0;
  for (const { session } of people) session.channel.onHeads.on(() => (heard += 1));
  await wait(world, 60 * MINUTE);
  // Who lacks something says so ever more rarely.
  expect(heard).toBeLessThan(160);
});

test('a hole that nobody can fill makes nobody ask more often because others go on talking', async () => {
  const { world, ana, ben, eva, sphere } = await three();
  const bens = ben.session.sphere();
  const { author } = ben.session.identity;
  const next = bens.log.nextHeader(author.device.id, 0);
  const place = { ...next, sequence: next.sequence + 1, previous: sha256Hex(new Uint8Array()) as EventId };
  const body = { textSha256: sha256Hex(new Uint8Array()), replyTo: null };
  bens.enqueue(buildEvent(author, place, 'message', body), [], { audience: { kind: 'members' } });
  ben.session.outgoing.poke();
  await world.quiet();
  expect(isLacking(ana)).toBe(true);
  const asked = (): number => world.entries.filter(({ text }) => text === 'log asked for').length;
  await wait(world, 10 * MINUTE);
  const before = asked();
  for (let line = 0; line < 50; line += 1) {
    (line % 2 === 0 ? ana : eva).session.messages.say(sphere.id, `line ${line}`);
    await world.pass(MINUTE);
  }
  expect(before).toBeGreaterThan(3);
  // Each asks two computers, at intervals that double.
  expect(asked() - before).toBeLessThan(45);
  // And what can be given is asked for at once all the same.
  const hidden = hide(world, (to) => to === eva.jid);
  ana.session.messages.say(sphere.id, 'hidden from eva');
  await world.quiet();
  expect(hidden()).toBe(1);
  await wait(world, 5 * MINUTE);
  expect(eva.session.texts()).toContain('hidden from eva');
});

test('whoever has left is not counted among those who might give what is missing', async () => {
  const { world, ana, ben, eva, sphere } = await three();
  await ben.stop();
  ana.session.messages.say(sphere.id, 'said while ben was away');
  await world.quiet();
  const anas = ana.session.identity.device.id;
  await ana.stop();
  const { id } = eva.session.identity.device;
  const { answerHistory } = world.server;
  world.server.answerHistory = () => [];
  // Eva tells of it, and does not give it.
  world.server.sayTo = () => undefined;
  await ben.start();
  await wait(world, 2 * MINUTE);
  world.server.answerHistory = answerHistory;
  const bens = ben.session.sphere();
  expect(ben.session.logs.lackOf(bens, new Set()).byOthers.has(anas)).toBe(true);
  await eva.session.members.leave(sphere.id, noSignal);
  await wait(world, 2 * MINUTE);
  expect(bens.state.devices.has(id)).toBe(false);
  expect([ben.session.logs.isExhausted(bens), ben.session.logs.isComplete(bens)]).toEqual([false, false]);
});

test('one short heads of a member makes nobody send durable messages, and many make each send one', async () => {
  const { world, ben, sphere } = await three();
  await wait(world, 10 * MINUTE);
  // Ben hears nobody, and so says nothing but what follows.
  world.server.deliver = (message, to) =>
    to === ben.jid && readEphemeral(message.stanza) !== undefined ? [] : [message];
  const theirs = ben.session.sphere();
  const heads = theirs.log.tips().filter(({ device }) => device === theirs.device);
  const { archive } = world.server.room(sphere.row.room);
  const before = archive.length;
  await ben.session.channel.say(theirs, 'heads', { heads });
  await wait(world, 5 * MINUTE);
  expect(archive.length - before).toBe(0);
  for (let times = 0; times < 8; times += 1) {
    await ben.session.channel.say(theirs, 'heads', { heads });
    await world.pass(2 * MINUTE);
  }
  // Ana and Eva.
  expect(archive.length - before).toBe(2);
});

test('nobody asks or sends anything while everybody has the same', async () => {
  const { world, people } = await three();
  await wait(world, 10 * MINUTE);
  const sent = world.server.sent;
  await world.pass(20 * 60 * MINUTE);
  // Each tells its heads once a day at most, and who hears them does not repeat them.
  expect(world.server.sent - sent).toBeLessThanOrEqual(people.length);
});

test('what was hidden live and stands in the archive is read there when nobody else is present', async () => {
  const { world, ana, ben, eva, sphere } = await three();
  await eva.stop();
  ana.session.messages.say(sphere.id, 'one');
  await world.pass(1_000);
  world.server.deliver = (message, to) =>
    to === ben.jid && readEphemeral(message.stanza) === undefined ? [] : [message];
  ana.session.messages.say(sphere.id, 'two');
  await world.pass(1_000);
  // From now on everything comes but words of the moment: nobody can be asked.
  world.server.deliver = (message) => (readEphemeral(message.stanza) === undefined ? [message] : []);
  ana.session.messages.say(sphere.id, 'three');
  await world.quiet();
  expect(ben.session.texts()).toEqual(['one', 'two', 'three']);
});

test('a member who asks for everything over and over is answered at a bounded rate', async () => {
  const { world, ana, ben, sphere } = await three();
  for (let number = 0; number < 10; number += 1) await ana.share(`film ${number}.mp4`);
  await world.quiet();
  const before = world.server.account(ben.jid).mail.length;
  const device = ana.session.identity.device.id;
  const want = { to: device, ranges: [{ device, from: 0, to: 1_000_000 }], ids: [] };
  for (let number = 0; number < 100; number += 1) {
    await ben.session.channel.say(ben.session.sphere(), 'want', want);
    await world.clock.advance(10);
  }
  await world.quiet();
  const answered = world.server.account(ben.jid).mail.length - before;
  expect(answered).toBeGreaterThan(0);
  expect(answered).toBeLessThanOrEqual(48);
  ana.session.messages.say(sphere.id, 'still heard');
  await world.quiet();
  expect(ben.session.texts()).toEqual(['still heard']);
});

test('what cannot be sent to one computer of an account keeps no answer from another one of it', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  await world.pass(MINUTE);
  const lost = { deviceId: 4242, identityKey: `05${'a'.repeat(64)}` };
  const own = ana.session.sphere();
  for (const event of own.log.events().slice(0, 1)) {
    own.enqueue(event, [], { audience: { kind: 'known', jid: ben.jid, devices: [lost] } });
  }
  ana.session.outgoing.poke();
  await world.pass(MINUTE);
  hide(world, () => true);
  ana.session.messages.say(sphere.id, 'lost');
  await world.quiet();
  world.server.deliver = (message) => [message];
  const waiting = ana.session.storage.outbox.queued().filter(({ to }) => to === ben.jid);
  expect(waiting).toHaveLength(1);
  await world.until(() => ben.session.texts().includes('lost'));
  expect(ben.session.texts()).toEqual(['lost']);
});
