import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { Clock } from '../base/clock.ts';
import { parseInfoHash } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { systemClock } from '../base/system-clock.ts';
import type { Announcement } from './announcer.ts';
import { Announcer, FULL_ROUND_MS } from './announcer.ts';
import { encode } from './bencode/bencode.ts';
import { PEER_LIFETIME_MS } from './tracker.ts';

const infoHash = parseInfoHash('1'.repeat(40));
const PEER = Uint8Array.of(192, 0, 2, 9, 0x1a, 0xe1);

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/**
 * A tracker on loopback that answers with one peer, refuses, or never says a word. It lets go of the connection once
 * it has answered request number `lastOfConnection`.
 */
async function tracker(kind: 'answers' | 'refuses' | 'hangs', lastOfConnection?: number) {
  const state = { asked: 0, open: 0, mostOpen: 0, left: Array<string>(), connections: 0 };
  const server = createServer((request, response) => {
    state.asked += 1;
    state.left.push(/left=(\d+)/.exec(request.url ?? '')?.[1] ?? '');
    state.open += 1;
    state.mostOpen = Math.max(state.mostOpen, state.open);
    request.on('close', () => (state.open -= 1));
    if (kind === 'refuses') response.end(encode({ 'failure reason': 'unknown' }));
    if (state.asked === lastOfConnection) response.once('finish', () => setImmediate(() => request.socket.end()));
    if (kind === 'answers') response.end(encode({ interval: 300, peers: PEER }));
  });
  server.on('connection', () => (state.connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return {
    state,
    url: `http://127.0.0.1:${port}/${'a'.repeat(32)}/announce`,
  };
}

function announce(announcements: readonly Announcement[], clock: Clock) {
  const found: { endpoint: string; tracker: string }[] = [];
  const announcer = new Announcer({
    clock,
    random: systemRandom,
    log: silentLogger,
    port: () => 5555,
    announcements: () => announcements,
    onPeer: (_infoHash, endpoint, from) => void found.push({ endpoint, tracker: from }),
  });
  const stop = new AbortController();
  // Stopping a loop by its signal is how it ends.
  const running = announcer.run(stop.signal).catch(() => undefined);
  ends.unshift(async () => {
    stop.abort();
    await running;
  });
  return found;
}

const hash = (number: number): string => number.toString(16).padStart(40, '0');

test('trackers that hang hold up neither each other nor the one that answers', async () => {
  const hanging = await Promise.all(Array.from({ length: 5 }, () => tracker('hangs')));
  const good = await tracker('answers');
  const trackers = [...hanging, good].map(({ url }) => url);
  const found = announce([{ infoHash, hashes: [hash(1)], trackers, bytesLeft: 7 }], systemClock);
  await expect.poll(() => found).toEqual([{ endpoint: '192.0.2.9:6881', tracker: good.url }]);
  expect(hanging.map(({ state }) => state.asked)).toEqual([1, 1, 1, 1, 1]);
});

test('no more than eight trackers are asked at once, and each for one torrent at a time', async () => {
  const hanging = await Promise.all(Array.from({ length: 12 }, () => tracker('hangs')));
  const trackers = hanging.map(({ url }) => url);
  announce([{ infoHash, hashes: [hash(1), hash(2), hash(3)], trackers, bytesLeft: 7 }], systemClock);
  const asked = (): number => hanging.reduce((sum, { state }) => sum + state.asked, 0);
  await expect.poll(asked).toBe(8);
  await systemClock.sleep(500);
  expect(asked()).toBe(8);
  expect(Math.max(...hanging.map(({ state }) => state.mostOpen))).toBe(1);
});

test('a tracker that is off is left alone by all torrents for a while, one that refuses only by the refused', async () => {
  const clock = new VirtualClock(0);
  const refusing = await tracker('refuses');
  const off = await tracker('hangs');
  const hashes = [hash(1), hash(2), hash(3)];
  announce([{ infoHash, hashes, trackers: [off.url, refusing.url], bytesLeft: 7 }], clock);
  await expect.poll(async () => (await clock.advance(100), refusing.state.asked)).toBe(3);
  expect(off.state.asked).toBe(1);
  await clock.advance(11_000);
  await systemClock.sleep(100);
  await clock.advance(60_000);
  expect(off.state.asked).toBe(1);
  await expect.poll(async () => (await clock.advance(20_000), off.state.asked)).toBeGreaterThan(1);
});

test('a thousand full copies are announced slowly, and a download is not behind them', async () => {
  const clock = new VirtualClock(0);
  const good = await tracker('answers');
  const full = Array.from({ length: 1000 }, (_, number) => {
    return { infoHash, hashes: [hash(number)], trackers: [good.url], bytesLeft: 0 };
  });
  const download = { infoHash, hashes: [hash(5000)], trackers: [good.url], bytesLeft: 7 };
  announce([...full, download], clock);
  const asked = async (): Promise<number> => (await clock.advance(50), good.state.left.length);
  await expect.poll(asked, { timeout: 20_000, interval: 10 }).toBeGreaterThan(5);
  expect(good.state.left.slice(0, 2).toSorted()).toEqual(['0', '7']);
  expect(good.state.left.length).toBeLessThanOrEqual(2 + clock.monotonic() / 1000);
});

test('however many full copies there are, a tracker hears of each again before it forgets who has it', async () => {
  const clock = new VirtualClock(0);
  const good = await tracker('answers');
  const full = Array.from({ length: 20_000 }, (_, number) => {
    return { infoHash, hashes: [hash(number)], trackers: [good.url], bytesLeft: 0 };
  });
  announce(full, clock);
  const asked = async (): Promise<number> => (await clock.advance(50), good.state.left.length);
  await expect.poll(asked, { timeout: 20_000, interval: 10 }).toBeGreaterThan(10);
  // At this pace a round is over in an hour.
  expect(good.state.left.length).toBeLessThanOrEqual(2 + (clock.monotonic() * full.length) / FULL_ROUND_MS);
  expect(clock.monotonic()).toBeLessThan(10 * 1_000);
  expect(PEER_LIFETIME_MS).toBeGreaterThan(1.5 * FULL_ROUND_MS);
});

test('a tracker is asked for many torrents over one connection, and one more when it let go of that', async () => {
  const good = await tracker('answers', 2);
  const hashes = [hash(1), hash(2), hash(3), hash(4)];
  const found = announce([{ infoHash, hashes, trackers: [good.url], bytesLeft: 7 }], systemClock);
  await expect.poll(() => found.length).toBe(4);
  expect(good.state.connections).toBe(2);
});
