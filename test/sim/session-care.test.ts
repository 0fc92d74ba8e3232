import { expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import { NO_CHANGES } from '../../src/omemo/store.ts';
import type { DeviceAddress } from '../../src/omemo/types.ts';
import { readOmemoMessage } from '../../src/xmpp/xep/0384-omemo.ts';
import type { SimPerson } from './sim-world.ts';
import { SimWorld } from './sim-world.ts';

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
