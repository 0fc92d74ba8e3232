import { once } from 'node:events';
import { get } from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { failureOf } from '../../test/fixtures/failure.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { systemClock } from '../base/system-clock.ts';
import { parseInfoHash } from '../base/id.ts';
import { Announcer, isTrackerUrl } from './announcer.ts';
import { parseAnswer } from './tracker-answer.ts';
import { encode } from './bencode/bencode.ts';
import { Tracker, trackerHash } from './tracker.ts';

const known = 'ab'.repeat(20);
const open: { tracker: Tracker; server: Server }[] = [];

afterEach(() => {
  for (const { tracker, server } of open.splice(0)) {
    server.close();
    tracker[Symbol.dispose]();
  }
});

async function start() {
  const found: string[] = [];
  const tracker = new Tracker({
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    knows: (hash) => hash === known,
    onPeer: (_hash, endpoint) => void found.push(endpoint),
  });
  const server = createServer((socket) => tracker.accept(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push({ tracker, server });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { tracker, port, url: tracker.urlFor(`127.0.0.1:${port}`), found };
}

function announceUrl(url: string, hash: string, port: number): string {
  const percent = hash.replace(/../g, '%$&');
  return `${url}?info_hash=${percent}&peer_id=${'%2d'.repeat(20)}&port=${port}&left=1&compact=1`;
}

async function announce(url: string, hash: string, port: number): Promise<Uint8Array> {
  return new Uint8Array(await (await fetch(announceUrl(url, hash, port))).arrayBuffer());
}

test('members who announce the same torrent learn of each other', async () => {
  const { url, found } = await start();
  await announce(url, known, 1111);
  const answer = parseAnswer(await announce(url, known, 2222));
  expect(answer.peers.toSorted()).toEqual(['127.0.0.1:1111', '127.0.0.1:2222']);
  expect(found).toEqual(['127.0.0.1:1111', '127.0.0.1:2222']);
});

test('one address that makes ports up does not fill a swarm: who else announced is still told', async () => {
  const { url } = await start();
  const from = (localAddress: string, ownPort: number): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      const request = get(announceUrl(url, known, ownPort), { localAddress, agent: false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve(Buffer.concat(chunks)));
      });
      request.on('error', reject);
    });
  await from('127.0.0.2', 1111);
  for (let made = 1; made <= 60; made += 1) await from('127.0.0.3', 20_000 + made);
  const { peers } = parseAnswer(await from('127.0.0.4', 2222));
  expect(peers).toContain('127.0.0.2:1111');
  const crowd = peers.filter((peer) => peer.startsWith('127.0.0.3:')).toSorted();
  expect([crowd.length, crowd[0], crowd.at(-1)]).toEqual([16, '127.0.0.3:20045', '127.0.0.3:20060']);
});

test('an unknown torrent is refused and costs no memory', async () => {
  const { url, tracker } = await start();
  const answer = await announce(url, 'cd'.repeat(20), 1111);
  expect(() => parseAnswer(answer)).toThrow('refused');
  expect(tracker.size).toBe(0);
});

test('scrapes, statistics and paths without the secret are not answered', async () => {
  const { url } = await start();
  await announce(url, known, 1111);
  const base = new URL(url).origin;
  const paths = ['/', '/announce', '/scrape', '/stats', '/stats.json', `/${'0'.repeat(32)}/announce`];
  const secret = new URL(url).pathname;
  const all = [...paths, secret.replace('announce', 'scrape'), secret.replace('announce', 'stats')];
  const answers = await Promise.all(all.map(async (path) => (await fetch(base + path)).status));
  expect(new Set(answers)).toEqual(new Set([404]));
});

test('one address cannot ask without end', async () => {
  const { url } = await start();
  const statuses: number[] = [];
  for (let count = 0; count < 110; count += 1) statuses.push((await fetch(announceUrl(url, known, 1111))).status);
  expect(statuses.filter((status) => status === 404).length).toBe(10);
});

test('one household of IPv6 that comes from many addresses leaves room for the others', async () => {
  const { tracker } = await start();
  const accepted: Socket[] = [];
  const server = createServer((socket) => {
    const host = accepted.length < 20 ? `2a00:1:2:3::${accepted.length}` : '2a00:1:2:4::1';
    // Loopback has a single address of IPv6.
    Object.defineProperty(socket, 'remoteAddress', { value: host });
    accepted.push(socket);
    tracker.accept(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push({ tracker, server });
  const { port } = server.address() as AddressInfo;
  for (let count = 1; count <= 21; count += 1) {
    connect(port, '127.0.0.1').on('error', () => undefined);
    await expect.poll(() => accepted.length).toBe(count);
  }
  const kept = accepted.filter((socket) => !socket.destroyed).map((socket) => socket.remoteAddress ?? '');
  expect([kept.length, kept.at(-1)]).toEqual([17, '2a00:1:2:4::1']);
});

test('malformed requests never break the tracker', async () => {
  const { url, port } = await start();
  const lines = [
    'GET / HTTP/1.1\r\n\r\n',
    `GET ${new URL(url).pathname}?info_hash=%zz&peer_id=a&port=99999 HTTP/1.1\r\nHost: x\r\n\r\n`,
    `GET ${new URL(url).pathname}?event=__proto__&info_hash=${known.replace(/../g, '%$&')}&peer_id=${'a'.repeat(20)}&port=1 HTTP/1.1\r\nHost: x\r\n\r\n`,
    `GET ${new URL(url).pathname}?info_hash=a&info_hash=b HTTP/1.1\r\nHost: x\r\n\r\n`,
    'GET ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nHost: x\r\n\r\n',
    '\u0013BitTorrent protocol',
  ];
  for (const line of lines) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.end(line);
    socket.resume();
    await once(socket, 'close');
  }
  expect(parseAnswer(await announce(url, known, 1111)).peers).toContain('127.0.0.1:1111');
});

test('announcing at a tracker finds who is there', async () => {
  const { url } = await start();
  const key = systemRandom(32);
  const infoHash = parseInfoHash('1'.repeat(40));
  expect(trackerHash(key, infoHash)).toMatch(/^[0-9a-f]{40}$/);
  await announce(url, known, 4444);
  const found: string[] = [];
  const announcer = new Announcer({
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    port: () => 5555,
    announcements: () => [{ infoHash, hashes: [known], trackers: [url], bytesLeft: 7 }],
    onPeer: (_hash, endpoint) => void found.push(endpoint),
  });
  const stop = new AbortController();
  // Stopping a loop by its signal is how it ends.
  const running = announcer.run(stop.signal).catch(() => undefined);
  await expect.poll(() => found.toSorted()).toEqual(['127.0.0.1:4444', '127.0.0.1:5555']);
  stop.abort();
  await running;
});

test('only addresses of the form our trackers have are ever called', () => {
  const token = 'a'.repeat(32);
  const mayCall = (endpoint: string): boolean =>
    ['192.0.2.1:8080', '192.0.2.1:80', '[2001:db8::1]:80'].includes(endpoint);
  const isCalled = (url: string): boolean => isTrackerUrl(url, mayCall);
  expect(isCalled(`http://192.0.2.1:8080/${token}/announce`)).toBe(true);
  expect(isCalled(`http://[2001:db8::1]:80/${token}/announce`)).toBe(true);
  const refused = [
    `https://192.0.2.1:80/${token}/announce`,
    'http://192.0.2.1:80/reboot',
    `http://127.0.0.1:80/${token}/announce`,
    `http://router:80/${token}/announce`,
    `http://u@192.0.2.1:80/${token}/announce`,
    `http://192.0.2.1:80/${token}/announce?x`,
    `udp://192.0.2.1:80/${token}/announce`,
  ];
  expect(refused.filter(isCalled)).toEqual([]);
});

test('arbitrary answers are read or refused, never anything else', () => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.integer(),
      fc.uint8Array({ maxLength: 40 }),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('peers', 'peers6', 'interval', 'x'), tie('value')),
    ),
  })).value;
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    value.map((tree) => encode(tree as never)),
  );
  fc.assert(
    fc.property(body, (bytes) => {
      const failure = failureOf(() => {
        const { peers, intervalMs } = parseAnswer(bytes);
        if (peers.length > 50 || !(intervalMs >= 0)) throw new TypeError('out of bounds');
      });
      expect(failure).toBeOneOf([null, 'bad-input', 'not-allowed']);
    }),
    { numRuns: fuzzRuns(2_000) },
  );
});
