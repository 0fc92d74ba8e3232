import { expect, onTestFinished, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { parseSphereId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { formatLanAnnounce, LAN_GROUPS, lanTag } from '../torrent/lan-announce.ts';
import type { LanListener, LanNetwork } from '../torrent/lan-network.ts';
import { LanPresence } from './lan-presence.ts';

const group = LAN_GROUPS[0] ?? failure();
const sphereId = parseSphereId('5'.repeat(64));
const ALL = ['192.168.1.2', '192.168.2.2'];
const key = new Uint8Array(32).fill(7);

function start(addresses: string[] = []) {
  const clock = new VirtualClock();
  const listeners = new Map<string, LanListener>();
  const found: string[] = [];
  const network: LanNetwork = {
    interfaces: () =>
      ['192.168.1.2', '192.168.2.2'].map((address, index) => {
        return { name: `eth${index}`, address, cidr: `${address}/24`, group };
      }),
    open: ({ address }, onPacket) => {
      if (address === '192.168.2.2') return Promise.reject(new Error('no multicast here'));
      listeners.set(address, onPacket);
      return Promise.resolve({ send: () => undefined, [Symbol.dispose]: () => void listeners.delete(address) });
    },
  };
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const presence = new LanPresence({
    clock,
    random: systemRandom,
    log: silentLogger,
    network,
    addresses,
    spheres: () => [{ sphereId, lanKeys: [key] }],
    port: () => 6_881,
    onPeer: (_sphere, endpoint) => found.push(endpoint),
    // The end of each test aborts it.
    spawn: (_name, task) => void task(stop.signal).catch(() => undefined),
  });
  const states = (): string[] => presence.interfaces.map(({ name, discovery }) => `${name} ${discovery}`);
  const announce = (): void => {
    const tags = [lanTag(key, clock.now())];
    const [packet] = formatLanAnnounce({ port: 7_000, cookie: 'other', tags }, group);
    for (const listener of listeners.values()) listener(packet ?? failure(), '192.168.1.9');
  };
  return { clock, presence, states, announce, found, listeners };
}

function failure(): never {
  throw new Error('not reached');
}

test('each interface says whether members are looked for there', async () => {
  const { clock, presence, states, announce, found } = start();
  expect(states()).toEqual(['eth0 off', 'eth1 off']);
  presence.setAddresses(ALL);
  await clock.advance(100);
  expect(states()).toEqual(['eth0 on', 'eth1 failed']);
  announce();
  expect([found, presence.heard]).toEqual([['192.168.1.9:7000'], 1]);
});

test('switched off, nothing is heard or said, until it is switched on again', async () => {
  const { clock, presence, states, announce, found, listeners } = start();
  presence.setAddresses(ALL);
  await clock.advance(100);
  presence.setAddresses([]);
  await clock.advance(100);
  expect(listeners.size).toBe(0);
  announce();
  expect([found, states()]).toEqual([[], ['eth0 off', 'eth1 off']]);
  presence.setAddresses(ALL);
  await clock.advance(100);
  announce();
  expect(found).toEqual(['192.168.1.9:7000']);
});

test('only where callers would be heard are members looked for', () => {
  const { states } = start(['192.168.1.2']);
  expect(states()).toEqual(['eth0 off']);
});

test('an address that has just come is silent until it was said that it may show itself', async () => {
  const { clock, presence, states, listeners } = start();
  presence.setAddresses(['192.168.2.2']);
  presence.lookAgain();
  await clock.advance(10_000);
  expect([states(), listeners.size]).toEqual([['eth0 off', 'eth1 failed'], 0]);
  presence.setAddresses(ALL);
  await clock.advance(100);
  expect([states(), listeners.size]).toEqual([['eth0 on', 'eth1 failed'], 1]);
});
