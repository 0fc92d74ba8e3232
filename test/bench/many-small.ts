import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseItemId, parseSphereId } from '../../src/base/id.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld } from '../fixtures/engine-world.ts';
import { EngineWatch } from '../netlab/engine-watch.ts';
import { freePort } from '../fixtures/free-port.ts';
import { cpuOf, memoryOf } from './parts/process-use.ts';
import type { Bar, BenchOptions, BenchResult } from './parts/report.ts';
import { compare, MissingPeer, runBench } from './parts/report.ts';

/**
 * A folder of very many small files, from the wish to share it until it is verified at the other end: two engines and
 * their server, encrypted, beside libtorrent hashing the same tree into one torrent and sending it to libtorrent.
 */
const FILES = 100_000;
const FILE_BYTES = 10_000;
const FILES_IN_FOLDER = 1000;
const HALF: Bar = { op: '<=', value: 0.5, of: 'ratio' };
const MEMORY = '/dev/shm';
const PIECE_LENGTH = 2 ** 20;
const LIMIT_MS = 3_600_000;
const PYTHON = '/usr/bin/python3';
const PEER = fileURLToPath(new URL('./parts/transfer-with-libtorrent.py', import.meta.url));
const run = promisify(execFile);

interface Measured {
  /** Seconds. */
  readonly shared: number;
  readonly fetched: number;
  readonly cpu: number;
}

interface Ours extends Measured {
  /** Megabytes of the engines once everything is done. */
  readonly sharer: number;
  readonly receiver: number;
  /** Seconds from the start of the sharer's program until a page has everything. */
  readonly restart: number;
}

async function makeTree(folder: string, files: number): Promise<void> {
  for (let from = 0; from < files; from += FILES_IN_FOLDER) {
    const below = join(folder, `part ${from / FILES_IN_FOLDER}`);
    await mkdir(below, { recursive: true });
    const numbers = Array.from({ length: Math.min(FILES_IN_FOLDER, files - from) }, (_, index) => from + index);
    await Promise.all(numbers.map((number) => writeFile(join(below, `${number}.bin`), randomBytes(FILE_BYTES))));
  }
}

/** Of all names and contents. */
async function digestOf(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const path of paths.toSorted()) hash.update(relative(folder, path)).update(await readFile(path));
  return hash.digest('hex');
}

async function requireSame(folder: string, digest: string): Promise<void> {
  if ((await digestOf(folder)) !== digest) throw new Error('the received folder differs from the original');
}

async function pidsOf({ engine }: Person): Promise<{ pid: number }[]> {
  const children = [...(await engine.children('swarm')), ...(await engine.children('media'))];
  return [engine.pid, ...children].map((pid) => ({ pid }));
}

async function measureOurs(tree: string, digest: string): Promise<Ours> {
  await using world = await EngineWorld.start(['anna', 'ben']);
  const [anna, ben] = [world.person('anna'), world.person('ben')];
  const sphere = await world.sphere('Summer', anna, ben);
  const pids = [...(await pidsOf(anna)), ...(await pidsOf(ben))];
  const cpu = (): number => pids.reduce((sum, one) => sum + cpuOf(one), 0);
  await using watch = await EngineWatch.start(ben);
  using sharer = await anna.connect(AbortSignal.timeout(LIMIT_MS));
  using receiver = await ben.connect(AbortSignal.timeout(LIMIT_MS));
  const [before, from] = [cpu(), performance.now()];
  const input = { sphereId: parseSphereId(sphere), paths: [tree], plain: false, wait: true };
  const [item] = (await sharer.client.items.share(input)).items;
  if (item === undefined) throw new Error('nothing was shared');
  const shared = (performance.now() - from) / 1000;
  await watch.until('it is listed', () => watch.items.has(item.id), LIMIT_MS);
  const ids = { sphereId: parseSphereId(sphere), itemId: parseItemId(item.id) };
  const got = await receiver.client.items.get({ ...ids, wait: true });
  const fetched = (performance.now() - from) / 1000 - shared;
  const measured = { shared, fetched, cpu: cpu() - before };
  await requireSame(got.item.path ?? '', digest);
  const memory = { sharer: memoryOf(anna.engine), receiver: memoryOf(ben.engine) };
  await anna.engine.stop();
  const stopped = performance.now();
  await anna.restart();
  using again = await anna.connect(AbortSignal.timeout(LIMIT_MS));
  await again.client.system.snapshot();
  return { ...measured, ...memory, restart: (performance.now() - stopped) / 1000 };
}

async function measurePeer(tree: string, folder: string, digest: string): Promise<Measured & { name: string }> {
  const torrent = join(folder, 'peer.torrent');
  const port = await freePort();
  const from = performance.now();
  const seed = spawn(PYTHON, [PEER, 'seed', tree, torrent, '127.0.0.1', `${port}`, `${PIECE_LENGTH}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: seed.stdout })[Symbol.asyncIterator]();
  try {
    await lines.next();
    const shared = (performance.now() - from) / 1000;
    const { stdout } = await run(PYTHON, [PEER, 'leech', folder, torrent, '127.0.0.2', `127.0.0.1:${port}`], {
      timeout: LIMIT_MS,
    });
    const leech = JSON.parse(stdout) as { wall: number; cpu: number; name: string };
    const seedCpu = cpuOf(seed);
    await requireSame(join(folder, 'album'), digest);
    return { shared, fetched: leech.wall, cpu: seedCpu + leech.cpu, name: leech.name };
  } finally {
    seed.kill('SIGKILL');
  }
}

interface Round {
  readonly ours: Ours;
  readonly peer: Measured & { readonly name: string };
}

async function measureRounds(root: string, files: number, rounds: number): Promise<Round[]> {
  const folder = await mkdtemp(join(root, 'bench-many-small-'));
  try {
    const tree = join(folder, 'album');
    await makeTree(tree, files);
    const digest = await digestOf(tree);
    const measured: Round[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const target = join(folder, `round-${round}`);
      await mkdir(target);
      const peer = await measurePeer(tree, target, digest);
      await rm(target, { recursive: true });
      measured.push({ peer, ours: await measureOurs(tree, digest) });
    }
    return measured;
  } finally {
    await rm(folder, { recursive: true });
  }
}

function lines(rounds: readonly Round[], where: string): BenchResult[] {
  const peerName = rounds[0]?.peer.name ?? null;
  const both = (name: string, of: (measured: Measured) => number, bar: Bar | null = null): BenchResult => {
    const samples = rounds.map(({ ours, peer }) => ({ ours: of(ours), peer: of(peer) }));
    return compare({ name: `${where}: ${name}`, unit: 's', peerName, samples, bar });
  };
  const own = (name: string, unit: string, of: (ours: Ours) => number): BenchResult =>
    compare({ name, unit, peerName: null, samples: rounds.map(({ ours }) => ({ ours: of(ours), peer: null })) });
  return [
    both('from the wish until it is verified', ({ shared, fetched }) => shared + fetched, HALF),
    both('of it until it is shared', ({ shared }) => shared),
    both('of it until it has come', ({ fetched }) => fetched),
    both('processor time of both sides', ({ cpu }) => cpu),
    own("memory of the sharer's engine", 'MB', ({ sharer }) => sharer),
    own("memory of the receiver's engine", 'MB', ({ receiver }) => receiver),
    own("the sharer's engine started again", 's', ({ restart }) => restart),
  ];
}

async function measure({ count, rounds }: BenchOptions): Promise<BenchResult[]> {
  try {
    await run(PYTHON, [PEER]);
  } catch {
    throw new MissingPeer('libtorrent is missing: install python3-libtorrent (Debian, Ubuntu) and run the bench again');
  }
  const where = tmpdir().startsWith(MEMORY) ? 'in memory' : 'on the disk';
  return lines(await measureRounds(tmpdir(), count, rounds), where);
}

await runBench('many-small', measure, { count: FILES });
