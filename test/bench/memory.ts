import { execFileSync } from 'node:child_process';
import { readFileSync, rmdirSync } from 'node:fs';
import { mkdtemp, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseItemId, parseSphereId } from '../../src/base/id.ts';
import { EngineWatch } from '../netlab/engine-watch.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld } from '../fixtures/engine-world.ts';
import { sparseFile } from '../integration/swarm-peer.ts';
import type { Bar, BenchOptions, BenchResult } from './parts/report.ts';
import { compare, runBench } from './parts/report.ts';

/** The memory of both ends when an item of 100 GB is shared and a fiftieth of it has come. */
const ITEM_BYTES = 100e9;
const PART = 0.02;
/** What is shared is a hole and takes no room; what comes has to fit, and some is left to others. */
const ROOM = 1.05;
const BAR: Bar = { op: '<=', value: 400, of: 'ours' };
const LIMIT_MS = 3_600_000;

/** MB that a process had at most. */
function peakOf(pid: number): number {
  const kib = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return (Number(kib) * 1024) / 1e6;
}

/** The engine and its swarm process together. */
async function peakOfPerson({ engine }: Person): Promise<number> {
  const children = await engine.children('swarm');
  return [engine.pid, ...children].reduce((sum, pid) => sum + peakOf(pid), 0);
}

/** Hashing takes longer than a person's usual patience with a call. */
async function share(person: Person, sphere: string, path: string): Promise<string> {
  using engine = await person.connect(AbortSignal.timeout(LIMIT_MS));
  const input = { sphereId: parseSphereId(sphere), paths: [path], plain: false, wait: true };
  const { items } = await engine.client.items.share(input);
  const [item] = items;
  if (item === undefined) throw new Error('nothing was shared');
  return item.id;
}

/** A folder with room for the item: nobody gets one for which there is none, and the bench would wait for ever. */
async function makeRoom(bytes: number): Promise<Disposable> {
  const { bavail, bsize } = await statfs(tmpdir());
  const neededBytes = Math.ceil(bytes * ROOM);
  if (bavail * bsize > neededBytes) return { [Symbol.dispose]: () => {} };
  // Of what the file system in memory promises only what comes is ever taken.
  const folder = await mkdtemp(join(tmpdir(), 'spherecast-room-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${neededBytes}`, 'tmpfs', folder]);
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = folder;
  return {
    [Symbol.dispose]() {
      if (before === undefined) delete process.env['TMPDIR'];
      else process.env['TMPDIR'] = before;
      execFileSync('umount', ['--lazy', folder]);
      rmdirSync(folder);
    },
  };
}

async function measureOnce(bytes: number): Promise<{ sharing: number; receiving: number; seconds: number }> {
  using _room = await makeRoom(bytes);
  await using world = await EngineWorld.start(['anna', 'ben']);
  const [anna, ben] = [world.person('anna'), world.person('ben')];
  const sphere = await world.sphere('Films', anna, ben);
  const path = await sparseFile(join(world.folder, 'film.mp4'), bytes);
  const before = performance.now();
  const id = await share(anna, sphere, path);
  const seconds = (performance.now() - before) / 1000;
  await ben.item(sphere, id);
  await using watch = await EngineWatch.start(ben);
  const ids = { sphereId: parseSphereId(sphere), itemId: parseItemId(id) };
  await ben.ask((client) => client.items.get({ ...ids, wait: false }));
  await watch.until('a fiftieth', () => (watch.items.get(id)?.bytesHave ?? 0) >= bytes * PART, LIMIT_MS);
  return { sharing: await peakOfPerson(anna), receiving: await peakOfPerson(ben), seconds };
}

async function measure({ bytes }: BenchOptions): Promise<BenchResult[]> {
  const { sharing, receiving, seconds } = await measureOnce(bytes);
  const line = (name: string, unit: string, ours: number, bar: Bar | null): BenchResult =>
    compare({ name, unit, peerName: null, bar, samples: [{ ours, peer: null }] });
  return [
    line('memory of who shares, at most', 'MB', sharing, BAR),
    line('memory of who receives, at most', 'MB', receiving, BAR),
    line('preparing the share', 's', seconds, null),
  ];
}

await runBench('memory', measure, { bytes: ITEM_BYTES });
