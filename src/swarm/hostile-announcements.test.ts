import { expect, onTestFinished, test } from 'vitest';
import { sphereId, startDialer } from '../../test/fixtures/dialing.ts';
import { memoryGrowth, MOST_GROWTH_BYTES } from '../../test/fixtures/memory-growth.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { parseEndpoint } from '../torrent/endpoint.ts';
import { LAN_GROUPS, lanTag } from '../torrent/lan-announce.ts';
import type { LanListener, LanNetwork } from '../torrent/lan-network.ts';
import { LanPresence } from './lan-presence.ts';
import { mayCallFrom, mayCallNear } from './may-call.ts';

const HOSTILE = 1_000;
const KEY = new Uint8Array(32).fill(7);
const OWN = '192.168.1.2';
const [GROUP_4] = LAN_GROUPS;

/** Neighbours under many addresses, and senders that no neighbour can be. */
const SENDERS = [
  ...Array.from({ length: 200 }, (_, index) => `192.168.1.${index + 3}`),
  '127.0.0.1',
  '0.0.0.0',
  '224.0.0.1',
  '::ffff:127.0.0.1',
];

/** Each number another announcement: of somebody who knows the sphere's key, or of somebody who tries to break us. */
function hostileAnnouncement(number: number, tag: string): Uint8Array {
  const start = 'BT-SEARCH * HTTP/1.1';
  const fields: readonly string[][] = [
    [start, 'Port: 22', `Infohash: ${tag}`, `cookie: c${number}`],
    [start, `Port: ${1 + number}`, ...Array.from({ length: 25 }, () => `Infohash: ${tag}`), `cookie: ${number}`],
    [start, 'Host: 11.22.33.44:80', 'Location: http://11.22.33.44/', 'Port: 80', `Infohash: ${tag}`],
    [start, 'Port: 7', 'Port: 99999', `Infohash: ${tag.toUpperCase()}`, `cookie: ${'x'.repeat(64)}`],
    [start, 'Port: 0', `Infohash: ${tag}`],
    [start, 'Port: 80@11.22.33.44:80', `Infohash: ${tag}`],
    [start, `Port: ${number}`, `Infohash: ${number.toString(16).padStart(40, '0')}`],
    [`${start}${'\r\n'.repeat(500)}`, 'Port: 9', `Infohash: ${tag}`],
    [start, `Infohash: ${tag}`, `Port: 9`, `x: ${'y'.repeat(5_000)}`],
    ['NOTIFY * HTTP/1.1', 'Port: 9', `Infohash: ${tag}`],
  ];
  const kind = number % (fields.length + 1);
  if (kind === fields.length) return systemRandom(number % 1_500);
  return Buffer.from(`${(fields[kind] ?? []).join('\r\n')}\r\n\r\n\r\n`, 'latin1');
}

test('1,000 hostile announcements in each ten seconds have nobody called but neighbours, and memory stays', async () => {
  const { dialer, clock, calls, requests } = startDialer(() => 'refused');
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const listeners: LanListener[] = [];
  const network: LanNetwork = {
    interfaces: () =>
      GROUP_4 === undefined ? [] : [{ name: 'eth0', address: OWN, cidr: `${OWN}/24`, group: GROUP_4 }],
    open: (_, onPacket) => {
      listeners.push(onPacket);
      return Promise.resolve({ send: () => undefined, [Symbol.dispose]: () => undefined });
    },
  };
  const presence = new LanPresence({
    clock,
    random: systemRandom,
    log: silentLogger,
    network,
    addresses: [],
    spheres: () => [{ sphereId, lanKeys: [KEY] }],
    port: () => 6_881,
    onPeer: (id, endpoint) => {
      const host = parseEndpoint(endpoint)?.host ?? '';
      if (mayCallNear(endpoint, mayCallFrom([]))) dialer.near(id, endpoint, host);
    },
    // The end of the test aborts it.
    spawn: (_name, task) => void task(stop.signal).catch(() => undefined),
  });
  presence.setAddresses([OWN]);
  await clock.advance(100);
  let said = 0;
  const hosts = new Set<string>();
  const flood = async (share: number): Promise<void> => {
    for (let count = 0; count < 10 * HOSTILE * share; count += 1) {
      said += 1;
      const packet = hostileAnnouncement(said, lanTag(KEY, clock.now()));
      for (const listener of listeners) listener(packet, SENDERS[said % SENDERS.length] ?? '');
      if (said % HOSTILE === 0) await clock.advance(10_000);
    }
    for (const { endpoint } of calls) hosts.add(parseEndpoint(endpoint)?.host ?? '');
    calls.length = 0;
    requests.length = 0;
  };
  const grown = await memoryGrowth(flood);
  expect([listeners.length, said >= 10 * HOSTILE]).toEqual([1, true]);
  expect([...hosts].filter((host) => !host.startsWith('192.168.1.'))).toEqual([]);
  expect(hosts.size).toBeGreaterThan(1);
  expect(grown).toBeLessThan(MOST_GROWTH_BYTES);
});
