import { expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import type { ContactRow } from '../../src/storage/contact-table.ts';
import { NO_CHANGES } from '../../src/omemo/store.ts';
import type { DeviceAddress } from '../../src/omemo/types.ts';
import { readOmemoMessage } from '../../src/xmpp/xep/0384-omemo.ts';
import type { SimPerson } from './sim-world.ts';
import { CONTACT, SimWorld } from './sim-world.ts';

async function two() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  const talk = async (): Promise<void> => {
    for (const { session } of [ana, ben]) {
      session.messages.say(sphere.id, 'hello');
      await world.quiet();
    }
  };
  await talk();
  return { world, ana, ben, sphere, talk };
}

const addressOf = ({ session, jid }: SimPerson): DeviceAddress => ({ jid, deviceId: session.omemo.deviceId });

/** Messages to this account that carry nothing but a key. */
function keyMessages(world: SimWorld, { jid }: SimPerson): { isFresh: boolean }[] {
  return world.server.account(jid).mail.flatMap(({ stanza }) => {
    const message = readOmemoMessage(stanza);
    const hasMore = stanza.children.some((part) => typeof part !== 'string' && part.name === 'sealed');
    return message === undefined || hasMore ? [] : [{ isFresh: message.keys.some(({ preKey }) => preKey) }];
  });
}

/** The session is what it was a while ago, as after a damaged disk. */
async function setBack(ben: SimPerson, ana: SimPerson, between: () => Promise<void>): Promise<void> {
  const address = addressOf(ana);
  const record = ben.session.storage.omemo.session(address);
  if (record === undefined) throw new Error('there is no session');
  for (let turn = 0; turn < 3; turn += 1) await between();
  ben.session.storage.omemo.apply({ ...NO_CHANGES, sessions: [{ address, record }] });
}

async function wait(world: SimWorld, ms: number): Promise<void> {
  for (let step = 0; step < 8; step += 1) await world.pass(ms / 8);
}

test('a broken session is replaced, and what could not be read meanwhile comes from the log', async () => {
  const { world, ana, ben, sphere, talk } = await two();
  await setBack(ben, ana, talk);
  ana.session.messages.say(sphere.id, 'lost');
  await world.quiet();
  expect(ben.session.texts().at(-1)).toMatch(/^\(/);
  await wait(world, 4 * 60_000);
  expect(keyMessages(world, ana)).toEqual([{ isFresh: true }]);
  ana.session.messages.say(sphere.id, 'heard');
  await world.quiet();
  expect(ben.session.texts().at(-1)).toBe('heard');
  expect(ben.session.texts()).toContain('lost');
  expect(ben.session.eventIds()).toEqual(ana.session.eventIds());
});

test('a broken session whose replacement could not be sent is replaced with the next message that cannot be read', async () => {
  const { world, ana, ben, sphere, talk } = await two();
  await setBack(ben, ana, talk);
  let refused = 0;
  ben.session.link.beforeSend = (stanza) => {
    if (stanza.attrs['to'] !== ana.jid) return Promise.resolve();
    refused += 1;
    return Promise.reject(new AppError('disconnected', 'cut'));
  };
  const loseOne = async (): Promise<void> => {
    ana.session.messages.say(sphere.id, 'lost');
    await world.quiet();
    await wait(world, 60_000);
  };
  await loseOne();
  expect([refused > 0, keyMessages(world, ana)]).toEqual([true, []]);
  ben.session.link.beforeSend = () => Promise.resolve();
  await loseOne();
  expect(keyMessages(world, ana)).toEqual([{ isFresh: true }]);
});

test('whoever makes up messages that cannot be read is sent one fresh session an hour, also over a restart', async () => {
  const { world, ana, ben, sphere, talk } = await two();
  const garble = async (): Promise<void> => {
    await setBack(ben, ana, talk);
    ana.session.messages.say(sphere.id, 'lost');
    await world.quiet();
    await wait(world, 60_000);
  };
  await garble();
  await garble();
  await ben.stop();
  await ben.start();
  await garble();
  expect(keyMessages(world, ana).filter(({ isFresh }) => isFresh)).toHaveLength(1);
});

test('whoever only reads answers with a key now and then, so that the sender’s keys are renewed', async () => {
  const { world, ana, ben, sphere } = await two();
  const before = keyMessages(world, ana).length;
  for (let number = 0; number < 55; number += 1) ana.session.messages.say(sphere.id, `line ${number}`);
  await world.quiet();
  await world.pass(2 * 60_000);
  expect(keyMessages(world, ana).length - before).toBe(1);
  expect(ben.session.texts()).toContain('line 54');
  await world.pass(30 * 60_000);
  expect(keyMessages(world, ana).length - before).toBe(1);
});

/** Two who talk and meet in no sphere; what each could read of the other is counted. */
async function alone(standing: Partial<ContactRow> = {}) {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  ana.session.storage.contacts.put({ ...CONTACT, jid: ben.jid });
  ben.session.storage.contacts.put({ ...CONTACT, jid: ana.jid, ...standing });
  const say = async ({ session }: SimPerson, to: SimPerson): Promise<void> => {
    const { id } = session.people.talk.say(to.jid, 'between us');
    await world.until(() => session.storage.directMessages.get(id)?.state !== 'queued');
    await world.quiet();
  };
  const talk = async (): Promise<void> => {
    await say(ana, ben);
    await say(ben, ana);
  };
  /** Key messages alone, without those that are lines. */
  const sent = (to: SimPerson) =>
    world.server.account(to.jid).mail.flatMap(({ stanza }) => {
      const message = readOmemoMessage(stanza);
      if (message === undefined || message.payload !== null) return [];
      return [{ isFresh: message.keys.some(({ preKey }) => preKey) }];
    });
  let read = 0;
  ben.session.omemo.onRead.on(() => (read += 1));
  await talk();
  return { world, ana, ben, say, talk, sent, reads: () => read };
}

test('a broken session with somebody whom one meets in no sphere is replaced, once an hour', async () => {
  const { world, ana, ben, say, talk, sent, reads } = await alone();
  await setBack(ben, ana, talk);
  const canRead = async (): Promise<boolean> => {
    const before = reads();
    await say(ana, ben);
    return reads() > before;
  };
  expect(await canRead()).toBe(false);
  await wait(world, 2 * 60_000);
  expect(sent(ana).filter(({ isFresh }) => isFresh)).toHaveLength(1);
  expect(await canRead()).toBe(true);
  await setBack(ben, ana, talk);
  await say(ana, ben);
  await wait(world, 10 * 60_000);
  expect(sent(ana).filter(({ isFresh }) => isFresh)).toHaveLength(1);
});

test('two sides of a talk that are both broken send each other one fresh session and then nothing', async () => {
  const { world, ana, ben, say, talk, sent } = await alone();
  const setBoth = async (): Promise<void> => {
    await setBack(ben, ana, talk);
    await setBack(ana, ben, talk);
  };
  await setBoth();
  await say(ana, ben);
  await say(ben, ana);
  await wait(world, 3 * 3_600_000);
  const fresh = [sent(ana), sent(ben)].map((messages) => messages.filter(({ isFresh }) => isFresh).length);
  expect(fresh.every((count) => count <= 1)).toBe(true);
  expect(fresh).toContain(1);
});

test('who only reads in a talk answers with a key once 53 messages had no answer, also when the program began anew meanwhile', async () => {
  const { world, ana, ben, say, sent } = await alone();
  await wait(world, 2 * 3_600_000);
  const before = sent(ana).length;
  for (let number = 0; number < 30; number += 1) await say(ana, ben);
  await ben.stop();
  await ben.start();
  for (let number = 0; number < 23; number += 1) await say(ana, ben);
  await wait(world, 2 * 60_000);
  expect(sent(ana).slice(before)).toEqual([]);
  await say(ana, ben);
  await wait(world, 2 * 60_000);
  expect(sent(ana).slice(before)).toEqual([{ isFresh: false }]);
  await say(ana, ben);
  await wait(world, 30 * 60_000);
  expect(sent(ana)).toHaveLength(before + 1);
});

test('no key leaves by itself for a stranger, nor an answer for somebody who may not see that one is there', async () => {
  for (const standing of [{ standing: 'request' }, { subscription: 'none' }] as const) {
    const { world, ana, ben, say, sent } = await alone(standing);
    const before = sent(ana).length;
    ben.session.storage.contacts.update(ana.jid, standing);
    for (let number = 0; number < 56; number += 1) await say(ana, ben);
    await wait(world, 5 * 60_000);
    expect(sent(ana)).toHaveLength(before);
  }
});
