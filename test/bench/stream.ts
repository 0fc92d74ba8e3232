import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { systemClock } from '../../src/base/system-clock.ts';
import { silentLogger } from '../../src/base/log.ts';
import { systemRandom } from '../../src/base/random.ts';
import { MediaServer } from '../../src/player/media-server.ts';
import type { PlayableItem } from '../../src/player/playable-item.ts';
import { hasRange } from '../../src/spheres/piece-map.ts';
import type { TestItem } from '../integration/swarm-peer.ts';
import { newEpoch, newSphere, randomFile, receive, share, SwarmPeer, until } from '../integration/swarm-peer.ts';
import { freePort } from '../fixtures/free-port.ts';
import type { Bar, BenchOptions, BenchResult } from './parts/report.ts';
import { compare, GIB, MissingPeer, runBench } from './parts/report.ts';

/**
 * How long somebody waits who opens a film that is not there, and who jumps to a place that is not there: from the HTTP
 * request on a connected peer to the last byte of the first MiB. Beside it libtorrent with deadlines for the same pieces.
 */
const MIB = 2 ** 20;
const PIECE_LENGTH = 2 ** 19;
const RATES = [10, 2] as const;
/** Where one jumps to, as parts of the film; the first is its beginning. */
const PLACES = [0, 0.5, 0.9, 0.25];
/** What goes on between two jumps. */
const PAUSE_MS = 3_000;
const LIMIT_MS = 120_000;
const NO_SLOWER: Bar = { op: '<=', value: 1.05, of: 'ratio' };
const PYTHON = '/usr/bin/python3';
const PEER = fileURLToPath(new URL('./parts/stream-with-libtorrent.py', import.meta.url));
const run = promisify(execFile);

/** The film as the media server reads it, at a swarm process that is fetching it. */
function playable(peer: SwarmPeer, item: TestItem, path: string): PlayableItem {
  const have = (from: number, to: number): boolean =>
    hasRange({ bitfield: peer.bitfields.get(item.infoHash) ?? null, pieceLength: item.pieceLength }, from, to);
  const want = (reader: string, from: number, to: number): void => {
    const window = { infoHash: item.infoHash, reader, from, to: Math.min(to, item.length) };
    // The last reader is dropped when the process has ended already.
    peer.client.window(window).catch(() => undefined);
  };
  return {
    size: item.length,
    path,
    type: 'video/mp4',
    indexRanges: [],
    have,
    async waitFor(from, to, signal) {
      while (!have(from, to)) await sleep(1, undefined, { signal });
    },
    want,
    drop: (reader) => want(reader, 0, 0),
  };
}

/** Asks for everything from `offset` on, as a player does, and takes milliseconds until the first MiB is there. */
async function firstMib(url: string, offset: number): Promise<{ ms: number; answer: IncomingMessage }> {
  const before = performance.now();
  const request = get(url, { headers: { range: `bytes=${offset}-` }, agent: false });
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  let read = 0;
  for await (const chunk of answer.iterator({ destroyOnReturn: false })) {
    read += (chunk as Uint8Array).length;
    if (read >= MIB) break;
  }
  if (read < MIB) throw new Error('the film ended early');
  return { ms: performance.now() - before, answer };
}

async function mediaServer(item: PlayableItem): Promise<{ url: string; server: Server; media: MediaServer }> {
  const media = new MediaServer({ clock: systemClock, random: systemRandom, log: silentLogger });
  const path = media.offer('film', 'film.mp4', item);
  const server = createServer((request, response) => {
    void media.handle((request.url ?? '').split('/').slice(2), request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}${path}`, server, media };
}

async function watchOurs(path: string, folder: string, rate: number): Promise<number[]> {
  const sphere = newSphere();
  const epochs = [newEpoch()];
  await using seed = await SwarmPeer.start({ address: '127.0.0.1', limits: { up: rate, down: 0 } });
  await using leech = await SwarmPeer.start({ address: '127.0.0.2' });
  await seed.joinSphere(sphere, epochs, [leech]);
  await leech.joinSphere(sphere, epochs, [seed]);
  const item = await share(seed, sphere, path, PIECE_LENGTH);
  const received = await receive(leech, sphere, item, folder, { background: false });
  await leech.learn(sphere, seed);
  // Who wants nothing is connected to nobody.
  const warmUp = { infoHash: item.infoHash, reader: 'warm-up' };
  await leech.client.window({ ...warmUp, from: item.length - 1, to: item.length });
  await until('the two are connected', () => leech.bytesHave(item.infoHash) > 0, LIMIT_MS);
  await leech.client.window({ ...warmUp, from: 0, to: 0 });
  await sleep(1_000);
  const { url, server, media } = await mediaServer(playable(leech, item, received));
  try {
    const all: number[] = [];
    for (const place of PLACES) {
      const { ms, answer } = await firstMib(url, Math.floor(item.length * place));
      all.push(ms);
      answer.resume();
      await sleep(PAUSE_MS);
      answer.destroy();
    }
    return all;
  } finally {
    media[Symbol.dispose]();
    server.closeAllConnections();
    server.close();
  }
}

async function watchPeer(path: string, folder: string, rate: number): Promise<{ ms: number[]; name: string }> {
  const torrent = join(folder, 'peer.torrent');
  const port = await freePort();
  const sending = ['seed', path, torrent, '127.0.0.1', `${port}`, `${PIECE_LENGTH}`, `${rate}`];
  const seed = spawn(PYTHON, [PEER, ...sending], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await createInterface({ input: seed.stdout })[Symbol.asyncIterator]().next();
    await using film = await open(path);
    const { size } = await film.stat();
    const offsets = PLACES.map((place) => `${Math.floor(size * place)}`);
    const watching = ['watch', folder, torrent, '127.0.0.2', `127.0.0.1:${port}`, `${PAUSE_MS / 1000}`];
    const { stdout } = await run(PYTHON, [PEER, ...watching, ...offsets], { timeout: LIMIT_MS });
    return JSON.parse(stdout) as { ms: number[]; name: string };
  } finally {
    seed.kill('SIGKILL');
  }
}

async function measure({ bytes, rounds }: BenchOptions): Promise<BenchResult[]> {
  try {
    await run(PYTHON, [PEER]);
  } catch {
    throw new MissingPeer('libtorrent is missing: install python3-libtorrent (Debian, Ubuntu) and run the bench again');
  }
  const folder = await mkdtemp(join(tmpdir(), 'bench-stream-'));
  try {
    const path = await randomFile(join(folder, 'film.mp4'), bytes);
    const results: BenchResult[] = [];
    for (const rate of RATES) results.push(...(await measureRate({ path, folder, rounds, rate })));
    return results;
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measureRate(of: { path: string; folder: string; rounds: number; rate: number }): Promise<BenchResult[]> {
  const all: { ours: number[]; peer: number[]; name: string }[] = [];
  for (let round = 0; round < of.rounds; round += 1) {
    const target = join(of.folder, `round-${of.rate}-${round}`);
    await mkdir(target);
    const { ms: peer, name } = await watchPeer(of.path, target, of.rate * 1e6);
    const ours = await watchOurs(of.path, target, of.rate * 1e6);
    await rm(target, { recursive: true });
    all.push({ ours, peer, name });
  }
  const peerName = all[0]?.name ?? null;
  return PLACES.flatMap((place, index) => {
    const name = place === 0 ? `first MiB at ${of.rate} MB/s` : `jump to ${place} at ${of.rate} MB/s`;
    const samples = all.map(({ ours, peer }) => ({ ours: ours[index] ?? Number.NaN, peer: peer[index] ?? Number.NaN }));
    const line = { name, unit: 'ms', peerName, samples, bar: NO_SLOWER };
    if (of.rate !== 10) return [compare(line)];
    const bar: Bar = { op: '<=', value: place === 0 ? 500 : 800, of: 'ours' };
    return [compare(line), compare({ ...line, name: `${name}, alone`, bar })];
  });
}

await runBench('stream', measure, { bytes: GIB, rounds: 5 });
