import { expect, test } from 'vitest';
import { readEphemeral } from '../../src/xmpp/sealed.ts';
import type { SimPerson } from './sim-world.ts';
import { SimWorld } from './sim-world.ts';

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

/** Time passes in steps short enough for questions and answers to go to and fro. */
async function wait(world: SimWorld, ms: number): Promise<void> {
  for (let step = 0; step < 8; step += 1) await world.pass(ms / 8);
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
