import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { randomFile, sha256 } from '../integration/swarm-peer.ts';
import { freePort } from '../fixtures/free-port.ts';
import { hasMemory, MEMORY } from './parts/memory-folder.ts';
import { NamedTracker } from './parts/named-tracker.ts';
import type { ProgramName } from './parts/other-program.ts';
import { LIBTORRENT, OtherProgram } from './parts/other-program.ts';
import type { Bar, BenchOptions, BenchResult, Sample } from './parts/report.ts';
import { compare, GIB, MissingPeer, runBench } from './parts/report.ts';

/**
 * One plain file between our client for public torrents and other programs, each way, beside libtorrent in our place. The
 * other program is there first and is called. From the call until the last byte is checked.
 */
const AS_FAST: Bar = { op: '>=', value: 0.95, of: 'ratio' };
const PIECE_LENGTH = 2 ** 20;
const NAME = 'film.mp4';
/** transmission takes a few megabytes a second: it gets an eighth of what the others get. */
const OTHERS = [
  ['libtorrent', 1],
  ['transmission', 8],
  ['aria2', 1],
] as const;
const run = promisify(execFile);

interface Setting {
  readonly folder: string;
  readonly torrent: string;
  readonly tracker: NamedTracker;
  readonly bytes: number;
  readonly digest: string;
}

/** Seconds for one transfer, whose result is compared. */
async function transfer(setting: Setting, from: ProgramName, to: ProgramName, called: 'from' | 'to'): Promise<number> {
  const { torrent, tracker } = setting;
  const round = await mkdtemp(join(setting.folder, 'round-'));
  const target = join(round, 'target');
  await mkdir(target);
  try {
    tracker.port = await freePort();
    const callerPort = await freePort();
    const jobs = {
      from: { mode: 'seed' as const, folder: setting.folder, scratch: join(round, 'seed') },
      to: { mode: 'leech' as const, folder: target, scratch: join(round, 'leech') },
    };
    const caller = called === 'from' ? ('to' as const) : ('from' as const);
    const names = { from, to };
    await using answerer = await OtherProgram.start(names[called], { ...jobs[called], torrent, port: tracker.port });
    const calling = { ...jobs[caller], torrent, port: callerPort, peerPort: tracker.port };
    await using program = await OtherProgram.start(names[caller], calling);
    const start = performance.now();
    if (to === 'libtorrent' && called === 'to') answerer.begin();
    program.begin();
    const [leech, measures] = caller === 'to' ? [program, true] : [answerer, to === 'libtorrent'];
    const ms = measures ? await leech.took() : await leech.done().then(() => performance.now() - start);
    if ((await sha256(join(target, NAME))) !== setting.digest) throw new Error(`${from} to ${to}: another file`);
    return ms / 1000;
  } finally {
    await rm(round, { recursive: true });
  }
}

async function requirePrograms(): Promise<void> {
  const missing = async (command: string, ...args: string[]): Promise<boolean> => {
    try {
      await run(command, args);
      return false;
    } catch (error) {
      return !(error instanceof Error && 'code' in error && error.code === 1);
    }
  };
  const wanted = [
    ['python3-libtorrent', await missing('/usr/bin/python3', LIBTORRENT)],
    ['transmission-cli', await missing('transmission-cli', '--version')],
    ['aria2', await missing('aria2c', '--version')],
  ] as const;
  const names = wanted.filter(([, isMissing]) => isMissing).map(([name]) => name);
  if (names.length > 0)
    throw new MissingPeer(`missing: install ${names.join(' ')} (Debian, Ubuntu) and run the bench again`);
}

async function prepare(root: string, tracker: NamedTracker, bytes: number): Promise<Setting> {
  const folder = await mkdtemp(join(root, 'film-'));
  const path = await randomFile(join(folder, NAME), bytes);
  const torrent = join(folder, 'film.torrent');
  await run('/usr/bin/python3', [LIBTORRENT, 'make', torrent, path, `${PIECE_LENGTH}`, tracker.url]);
  return { folder, torrent, tracker, bytes, digest: await sha256(path) };
}

async function inFolder(root: string, { bytes, rounds, only }: BenchOptions): Promise<Map<string, Sample[]>> {
  const folder = await mkdtemp(join(root, 'bench-interop-'));
  using tracker = await NamedTracker.start();
  try {
    const others = OTHERS.filter(([name]) => only === null || name === only);
    const settings = await Promise.all(others.map(([, part]) => prepare(folder, tracker, Math.ceil(bytes / part))));
    const samples = new Map<string, Sample[]>();
    for (let round = 0; round < rounds; round += 1) {
      for (const [index, [other]] of others.entries()) {
        const setting = settings[index];
        if (setting === undefined) continue;
        for (const [name, sample] of await bothWays(setting, other)) {
          samples.set(name, [...(samples.get(name) ?? []), sample]);
        }
      }
    }
    return samples;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Each way, in MB/s. */
async function bothWays(setting: Setting, other: ProgramName): Promise<(readonly [string, Sample])[]> {
  const speed = async (from: ProgramName, to: ProgramName, called: 'from' | 'to'): Promise<number> =>
    setting.bytes / 1e6 / (await transfer(setting, from, to, called));
  const out = { ours: await speed('ours', other, 'to'), peer: await speed('libtorrent', other, 'to') };
  const back = { ours: await speed(other, 'ours', 'from'), peer: await speed(other, 'libtorrent', 'from') };
  return [
    [`ours to ${other}`, out],
    [`${other} to ours`, back],
  ];
}

function lines(taken: ReadonlyMap<string, Sample[]>, where: string, bar: Bar | null): BenchResult[] {
  return Array.from(taken, ([name, samples]) =>
    compare({ name: `${where}: ${name}`, unit: 'MB/s', peerName: 'libtorrent in our place', samples, bar }),
  );
}

async function measure(options: BenchOptions): Promise<BenchResult[]> {
  await requirePrograms();
  const disk = await inFolder(tmpdir(), options);
  if (!(await hasMemory())) return lines(disk, 'on the disk', AS_FAST);
  const memory = await inFolder(MEMORY, options);
  return [...lines(memory, 'in memory', AS_FAST), ...lines(disk, 'on the disk', null)];
}

await runBench('interop', measure, { rounds: 5, bytes: GIB, parts: OTHERS.map(([name]) => name) });
