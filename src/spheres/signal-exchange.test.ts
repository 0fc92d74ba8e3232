import { expect, test } from 'vitest';
import type { SimSession } from '../../test/sim/sim-person.ts';
import { SimWorld } from '../../test/sim/sim-world.ts';
import { toHex } from '../base/bytes.ts';
import type { DeviceKey } from '../base/id.ts';
import { parseInfoHash } from '../base/id.ts';
import { systemRandom } from '../base/random.ts';
import type { RtcSignal } from '../contract/swarm.ts';
import type { IncomingEphemeral } from './incoming-message.ts';
import { sealEphemeral } from './protocol/ephemeral.ts';

const session = 'ab'.repeat(16);
const candidate = (number: number): RtcSignal => ({
  session,
  kind: 'candidate',
  text: `a=candidate:${number} 1 UDP 1 192.0.2.1 ${number} typ host`,
  mid: '0',
});

async function three() {
  const world = new SimWorld();
  const [ana, ben, zoe] = [await world.person('ana'), await world.person('ben'), await world.person('zoe')];
  await world.sphere(ana, ben, zoe);
  // What was told while they came together is over.
  await world.pass(60_000);
  return { world, ana, ben, zoe };
}

const deviceOf = ({ identity }: SimSession): DeviceKey => identity.device.id;
const told = ({ swarm }: SimSession, call: string) => swarm.told.filter(({ name }) => name === call);
const signals = (of: SimSession): unknown[] => told(of, 'signal').map(({ input }) => input['signal']);

/** What a session's swarm process has to tell a device. */
const signal = (from: SimSession, to: SimSession, said: RtcSignal): Promise<void> =>
  from.signals.signal({ kind: 'signal', sphereId: from.sphere().id, device: deviceOf(to), signal: said });

function offered(from: SimSession, to: SimSession, counter: number): IncomingEphemeral {
  const sphere = from.sphere();
  const { eventId, secrets } = sphere.currentEpoch;
  const context = { sphere: sphere.id, epoch: eventId };
  const input = { context, epoch: secrets, device: from.identity.device, counter, random: systemRandom };
  const said = { session, kind: 'offer' as const, text: 'v=0', mid: '' };
  return { room: sphere.row.room, ...context, bytes: sealEphemeral(input, 'rtc', { to: deviceOf(to), signal: said }) };
}

test('a signal reaches the device it is for, in its order, and nobody else; the room stores nothing', async () => {
  const { world, ana, ben, zoe } = await three();
  const { archive } = world.server.room(ana.session.sphere().row.room);
  const stored = archive.length;
  const said = [1, 2, 3, 4].map(candidate);
  await Promise.all(said.map((one) => signal(ana.session, ben.session, one)));
  await world.quiet();
  expect(signals(ben.session)).toEqual(said);
  expect(told(ben.session, 'signal')[0]?.input).toEqual({
    sphereId: ben.session.sphere().id,
    device: deviceOf(ana.session),
    signal: said[0],
  });
  expect([signals(zoe.session), signals(ana.session)]).toEqual([[], []]);
  expect(archive).toHaveLength(stored);
});

test('signals are not slowed down, and one device can neither send nor be heard with more than a connection takes', async () => {
  const { world, ana, ben } = await three();
  const many = Array.from({ length: 200 }, (_, number) => candidate(number));
  await Promise.all(many.map((one) => signal(ana.session, ben.session, one)));
  await world.quiet();
  expect(signals(ben.session)).toEqual(many.slice(0, 120));
  // A program that has no such manners.
  const counter = world.clock.now() + 1_000_000;
  for (let index = 0; index < 300; index += 1) {
    await ben.session.channel.receive(offered(ana.session, ben.session, counter + index));
  }
  expect(signals(ben.session)).toHaveLength(120);
  await world.pass(10_000);
  await ben.session.channel.receive(offered(ana.session, ben.session, counter + 500));
  expect(signals(ben.session)).toHaveLength(121);
});

test('an offer heard before a restart begins nothing after it', async () => {
  const { world, ana, ben } = await three();
  const old = offered(ana.session, ben.session, world.clock.now() + 1_000_000);
  await ben.session.channel.receive(old);
  expect(signals(ben.session)).toHaveLength(1);
  await ben.stop();
  await ben.start();
  await world.quiet();
  await ben.session.channel.receive(old);
  expect(signals(ben.session)).toEqual([]);
});

test('what one member finds out about another’s endpoint is told to that one', async () => {
  const { world, ana, ben, zoe } = await three();
  const word = { endpoint: '198.51.100.7:6881', outcome: 'unreachable' as const, seenAs: '203.0.113.5:4000' };
  const sphereId = ana.session.sphere().id;
  await ana.session.signals.reached({ kind: 'reached', sphereId, device: deviceOf(ben.session), ...word });
  await world.quiet();
  expect(told(ben.session, 'reached')).toEqual([
    { name: 'reached', input: { sphereId, device: deviceOf(ana.session), ...word } },
  ]);
  expect(told(zoe.session, 'reached')).toEqual([]);
});

test('whoever names many endpoints does not have the room filled with what came of calling them', async () => {
  const { world, ana, ben } = await three();
  const sphereId = ana.session.sphere().id;
  for (let port = 1; port <= 200; port += 1) {
    const word = { endpoint: `198.51.100.7:${port}`, outcome: 'refused' as const, seenAs: null };
    await ana.session.signals.reached({ kind: 'reached', sphereId, device: deviceOf(ben.session), ...word });
  }
  await world.quiet();
  expect(told(ben.session, 'reached')).toHaveLength(16);
});

test('from a network that lets only the web out nobody is told that their door is closed', async () => {
  const { world, ana, ben } = await three();
  ana.session.dialsFreely = false;
  const sphereId = ana.session.sphere().id;
  const word = { sphereId, device: deviceOf(ben.session), endpoint: '198.51.100.7:6881', seenAs: null };
  await ana.session.signals.reached({ kind: 'reached', ...word, outcome: 'unreachable' });
  await ana.session.signals.reached({ kind: 'reached', ...word, outcome: 'reached' });
  await world.quiet();
  expect(told(ben.session, 'reached').map(({ input }) => input['outcome'])).toEqual(['reached']);
});

test('a member who is asked to try an endpoint hears it, nobody else does, and no more often than it can be meant', async () => {
  const { world, ana, ben, zoe } = await three();
  const sphereId = ana.session.sphere().id;
  const endpoint = '198.51.100.7:443';
  const ask = () => ana.session.signals.probe({ kind: 'probe', sphereId, device: deviceOf(ben.session), endpoint });
  await ask();
  await world.quiet();
  expect(told(ben.session, 'probe').map(({ input }) => input)).toEqual([
    { sphereId, device: deviceOf(ana.session), endpoint },
  ]);
  for (let count = 0; count < 50; count += 1) await ask();
  await world.quiet();
  expect(told(ben.session, 'probe')).toHaveLength(8);
  expect(told(zoe.session, 'probe')).toEqual([]);
});

test('what a device fetches is told to the members who are there, sealed, and no more often than it can be meant', async () => {
  const { world, ana, ben, zoe } = await three();
  const room = world.server.room(ana.session.sphere().row.room);
  const stored = room.archive.length;
  const infoHashes = [parseInfoHash('1'.repeat(40)), parseInfoHash('2'.repeat(40))];
  const fetching = { kind: 'fetching', sphereId: ana.session.sphere().id, infoHashes, metainfo: true } as const;
  await ana.session.signals.fetching(fetching);
  await world.quiet();
  const word = { sphereId: fetching.sphereId, device: deviceOf(ana.session), infoHashes, metainfo: true };
  const heard = (of: SimSession): unknown[] => told(of, 'fetching').map(({ input }) => input);
  expect([heard(ben.session), heard(zoe.session), heard(ana.session)]).toEqual([[word], [word], []]);
  expect(room.archive).toHaveLength(stored);
  for (let count = 0; count < 100; count += 1) await ana.session.signals.fetching(fetching);
  await world.quiet();
  expect(heard(ben.session)).toHaveLength(30);
  // A program that has no such manners.
  const sphere = ana.session.sphere();
  const { eventId, secrets } = sphere.currentEpoch;
  const context = { sphere: sphere.id, epoch: eventId };
  const from = { context, epoch: secrets, device: ana.session.identity.device, random: systemRandom };
  for (let count = 0; count < 100; count += 1) {
    const counter = world.clock.now() + 1_000_000 + count;
    const bytes = sealEphemeral({ ...from, counter }, 'fetching', { infoHashes });
    await zoe.session.channel.receive({ room: sphere.row.room, ...context, bytes });
  }
  expect(heard(zoe.session)).toHaveLength(30);
});

test('messages are read on while the swarm process hangs over a signal', async () => {
  const { world, ana, ben } = await three();
  ben.session.swarm.answers.signal = () => new Promise(() => undefined);
  await signal(ana.session, ben.session, candidate(1));
  await ana.session.messages.say(ana.session.sphere().id, `behind ${toHex(systemRandom(4))}`);
  await world.quiet();
  expect(ben.session.texts().at(-1)).toMatch(/^behind/);
});
