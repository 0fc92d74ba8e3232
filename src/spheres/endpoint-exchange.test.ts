import { expect, test } from 'vitest';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import type { SimSession } from '../../test/sim/sim-person.ts';
import { generateSigningKey } from './protocol/keys.ts';
import { systemRandom } from '../base/random.ts';
import type { IncomingEphemeral } from './incoming-message.ts';
import { startEpoch } from './start-epoch.ts';
import { EPHEMERAL_NAMESPACE, sealEphemeral } from './protocol/ephemeral.ts';
import { encryptAead } from './protocol/aead.ts';

/** Above every counter that a device has used in these tests. */
const later = 2_000_000_000_000;
const day = 24 * 3_600_000;
const mine = { endpoints: ['10.0.0.1:4000'], trackers: ['http://10.0.0.1:4001/x'], webrtc: true };

async function two() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  // What was told while they came together is over.
  await world.pass(60_000);
  return { world, ana, ben };
}

/** What a session's swarm was told of others' addresses. */
const heard = ({ swarm }: SimSession) =>
  swarm.told.filter(({ name }) => name === 'setEndpoints').map(({ input }) => input);

/** A message of Ana's device, or another one's, about her addresses. */
function sealed(
  from: SimSession,
  counter: number,
  device = from.identity.device,
  endpoints = mine.endpoints,
): IncomingEphemeral {
  const sphere = from.sphere();
  const { eventId, secrets } = sphere.currentEpoch;
  const context = { sphere: sphere.id, epoch: eventId };
  const input = { context, epoch: secrets, device, counter, random: systemRandom };
  return { room: sphere.row.room, ...context, bytes: sealEphemeral(input, 'endpoints', { ...mine, endpoints }) };
}

test('members learn each other’s addresses, and nothing of it is stored by the room', async () => {
  const { world, ana, ben } = await two();
  const { archive } = world.server.room(ana.session.sphere().row.room);
  const stored = archive.length;
  await ana.session.exchange.announce(mine);
  await world.quiet();
  expect(heard(ben.session)).toEqual([
    { sphereId: ben.session.sphere().id, device: ana.session.identity.device.id, ...mine },
  ]);
  expect(heard(ana.session)).toEqual([]);
  expect(archive).toHaveLength(stored);
});

test('without the key of the current epoch nothing is said under an older one', async () => {
  const { world, ana, ben } = await two();
  const sphere = ana.session.sphere();
  const { epochs } = ana.session.storage;
  ben.session.link.goOffline();
  startEpoch({ list: ana.session.list, random: systemRandom }, sphere, 'renewal');
  const current = sphere.currentEpoch.eventId;
  const list = epochs.list.bind(epochs);
  epochs.list = (id) => list(id).filter(({ eventId }) => eventId !== current);
  sphere.readEpochs();
  expect(sphere.epochs).toHaveLength(1);
  await ben.session.goOnline();
  const before = heard(ben.session).length;
  await ana.session.exchange.announce(mine);
  await world.quiet();
  expect(heard(ben.session)).toHaveLength(before);
  epochs.list = list;
  sphere.readEpochs();
  await ana.session.exchange.tell(sphere);
  await world.pass(10_000);
  expect(heard(ben.session).length).toBeGreaterThan(before);
});

test('somebody heard for the first time is told our addresses in return', async () => {
  const { world, ana, ben } = await two();
  await ana.session.exchange.announce(mine);
  await world.quiet();
  const zoe = await world.person('zoe');
  await zoe.session.exchange.announce({ endpoints: ['10.0.0.9:1'], trackers: [], webrtc: false });
  await world.bringIn(ana, zoe);
  expect(heard(zoe.session).at(-1)).toMatchObject({ device: ana.session.identity.device.id, ...mine });
  expect(heard(ben.session).map(({ device }) => device)).toContain(zoe.session.identity.device.id);
});

test('a device that tells new addresses is told ours again, one that repeats itself is not', async () => {
  const { world, ana, ben } = await two();
  await ana.session.exchange.announce(mine);
  await ben.session.exchange.announce({ endpoints: ['10.0.0.2:1'], trackers: [], webrtc: false });
  await world.quiet();
  const before = heard(ben.session).length;
  await ben.session.exchange.tell(ben.session.sphere());
  await world.quiet();
  expect(heard(ben.session)).toHaveLength(before);
  // As after a restart: the same device listens elsewhere.
  await ben.session.exchange.announce({ endpoints: ['10.0.0.2:2'], trackers: [], webrtc: false });
  await world.quiet();
  expect(heard(ben.session)).toHaveLength(before + 1);
  expect(heard(ben.session).at(-1)).toMatchObject(mine);
});

test('a message heard before is refused, a later one is taken', async () => {
  const { ana, ben } = await two();
  for (const counter of [later + 7, later + 7, later + 6])
    await ben.session.channel.receive(sealed(ana.session, counter));
  expect(heard(ben.session)).toHaveLength(1);
  await ben.session.channel.receive(sealed(ana.session, later + 8));
  expect(heard(ben.session)).toHaveLength(2);
});

test('a device that is not certified has no say, whoever gave it the key', async () => {
  const { ana, ben } = await two();
  await ben.session.channel.receive(sealed(ana.session, later + 1, generateSigningKey(systemRandom)));
  expect(heard(ben.session)).toEqual([]);
});

test('what a device says a moment before its certificate comes is heard once that is here', async () => {
  const { world, ana, ben } = await two();
  ben.session.link.goOffline();
  const laptop = await world.another(ana);
  const { device } = laptop.session.identity;
  await world.until(() => ana.session.sphere().state.devices.has(device.id));
  const early = sealed(ben.session, later, device, ['10.9.9.9:1']);
  await ben.session.channel.receive(early);
  const ofLaptop = () => heard(ben.session).filter((told) => told['device'] === device.id);
  expect(ofLaptop()).toEqual([]);
  await ben.session.goOnline();
  await world.quiet();
  expect(ofLaptop().at(-1)).toMatchObject({ endpoints: ['10.9.9.9:1'] });
});

test('a removed member’s device has no say, even under the key it still has', async () => {
  const { world, ana, ben } = await two();
  const old = sealed(ben.session, Number.MAX_SAFE_INTEGER - 1);
  await ana.session.members.remove(ana.session.sphere().id, ben.jid, noSignal);
  await world.quiet();
  const told = heard(ana.session).length;
  await ana.session.channel.receive(old);
  expect(heard(ana.session)).toHaveLength(told);
});

test('an epoch that was replaced long ago is not believed any more', async () => {
  const { world, ana, ben } = await two();
  const old = sealed(ana.session, Number.MAX_SAFE_INTEGER - 1);
  for (const name of ['x', 'y']) {
    const other = await world.person(name);
    await world.bringIn(ana, other);
    await ana.session.members.remove(ana.session.sphere().id, other.jid, noSignal);
    await world.quiet();
  }
  await ben.session.channel.receive(old);
  expect(heard(ben.session)).toEqual([]);
});

test('a message of an unknown kind, or into another room, is passed over', async () => {
  const { ana, ben } = await two();
  const known = sealed(ana.session, later + 3);
  await ben.session.channel.receive({ ...known, room: 'elsewhere@rooms.sim' as never });
  await ben.session.channel.receive({ ...known, sphere: 'f'.repeat(64) as never });
  await ben.session.channel.receive({ ...known, bytes: systemRandom(100) });
  const { secrets } = ana.session.sphere().currentEpoch;
  const garbage = encryptAead(
    { key: secrets.ephemeral, context: new TextEncoder().encode(EPHEMERAL_NAMESPACE), random: systemRandom },
    systemRandom(200),
  );
  await ben.session.channel.receive({ ...known, bytes: garbage });
  expect(heard(ben.session)).toEqual([]);
  await ben.session.channel.receive(known);
  expect(heard(ben.session)).toHaveLength(1);
});

test('messages are read on while the swarm process hangs', async () => {
  const { world, ana, ben } = await two();
  const hanging = Promise.withResolvers<undefined>();
  ben.session.swarm.answers.setEndpoints = () => hanging.promise;
  await ana.session.exchange.announce(mine);
  await ana.session.messages.say(ana.session.sphere().id, 'behind the addresses');
  await world.quiet();
  expect(ben.session.texts()).toContain('behind the addresses');
  hanging.resolve(undefined);
});

test('a device that chatters is answered and believed every few seconds, with its newest word', async () => {
  const { world, ana, ben } = await two();
  await ben.session.exchange.announce({ endpoints: ['10.0.0.2:1'], trackers: [], webrtc: false });
  await world.pass(60_000);
  const [before, answered] = [heard(ben.session).length, heard(ana.session).length];
  for (let number = 0; number < 600; number += 1) {
    await ben.session.channel.receive(sealed(ana.session, 10 ** 14 + number, undefined, [`10.0.0.1:${1000 + number}`]));
    await world.clock.advance(100);
  }
  await world.pass(10_000);
  const believed = heard(ben.session).slice(before);
  expect(believed.length).toBeLessThan(40);
  expect(believed.at(-1)).toMatchObject({ endpoints: ['10.0.0.1:1599'] });
  expect(heard(ana.session).length - answered).toBeLessThan(40);
  expect(heard(ana.session).length).toBeGreaterThan(answered);
});

test('a device that is started again every few seconds is believed at once each time', async () => {
  const { world, ana, ben } = await two();
  for (let start = 0; start < 6; start += 1) {
    // Its ports, WebRTC, the router's port and its pinhole become known one after the other.
    for (let step = 0; step < 4; step += 1) {
      const counter = 10 ** 14 + start * 10 + step;
      await ben.session.channel.receive(sealed(ana.session, counter, undefined, [`10.0.0.1:${start}${step}`]));
    }
    expect(heard(ben.session).at(-1)).toMatchObject({ endpoints: [`10.0.0.1:${start}3`] });
    await world.clock.advance(8_000);
  }
});

test('a restart makes old words no new ones', async () => {
  const { world, ana, ben } = await two();
  const old = sealed(ana.session, 10 ** 14, undefined, ['10.0.0.1:1']);
  await ben.session.channel.receive(old);
  await ben.session.channel.receive(sealed(ana.session, 10 ** 14 + 1, undefined, ['10.0.0.1:2']));
  expect(heard(ben.session)).toHaveLength(2);
  await ben.stop();
  await ben.start();
  await world.quiet();
  await ben.session.channel.receive(old);
  expect(heard(ben.session)).toEqual([]);
});

test('a device whose clock goes back is heard all the same, over restarts too', async () => {
  const { world, ana, ben } = await two();
  await ana.session.exchange.announce(mine);
  await world.pass(60_000);
  await ana.stop();
  world.clock.turnBack(30 * day);
  await ana.start();
  await world.quiet();
  const before = heard(ben.session).length;
  await ana.session.exchange.announce({ endpoints: ['10.0.0.1:5'], trackers: [], webrtc: false });
  await world.quiet();
  expect(heard(ben.session).slice(before)).toMatchObject([{ endpoints: ['10.0.0.1:5'] }]);
});

test('nothing is told into a room where nobody else has a program that reads it', async () => {
  const { world, ana, ben } = await two();
  const told: string[] = [];
  world.server.deliver = (message) => {
    if (message.stanzaId === null) told.push(message.from ?? '');
    return [message];
  };
  world.server.ordinary.add(ben.jid);
  await ana.session.exchange.announce(mine);
  await world.pass(60_000);
  // Ben's own program reads what Ben says into a room where Ana is.
  expect(told).not.toContain(ana.jid);
  world.server.ordinary.clear();
  await ana.session.exchange.announce(mine);
  await world.quiet();
  expect(told).toContain(ana.jid);
});
