import { setTimeout as sleep } from 'node:timers/promises';
import { parseSphereId } from '../../../src/base/id.ts';
import type { EngineClient } from '../../../src/cli/connect.ts';
import { EngineWorld } from '../../fixtures/engine-world.ts';
import { addItems } from './many-items.ts';
import { cpuOf, memoryOf } from './process-use.ts';

/** Seeded items are handed on and looked at by then. */
const SETTLE_MS = 30_000;
const IDLE_MS = 20_000;
const LIMIT_MS = 600_000;

export interface EngineStart {
  /** Seconds from the start of the program until a page has everything. */
  readonly start: number;
  /** Processor seconds of the same. */
  readonly startCpu: number;
  /** Megabytes of what the page got, as JSON. */
  readonly snapshot: number;
  /** Seconds that a page waits which is opened later. */
  readonly again: number;
  /** Megabytes, and per cent of a processor, once everything is at rest. */
  readonly memory: number;
  readonly cpu: number;
}

/** Starts the engine of somebody whose sphere lists so many items, `seeded` of them from this computer. */
export async function measureEngineStarts(items: {
  readonly seeded: number;
  readonly listed: number;
  readonly rounds: number;
}): Promise<EngineStart[]> {
  await using world = await EngineWorld.start(['ana']);
  const ana = world.person('ana');
  const { id } = await ana.create('Summer');
  await ana.sync();
  await ana.engine.stop();
  await addItems(ana, parseSphereId(id), items);
  const starts: EngineStart[] = [];
  for (let round = 0; round < items.rounds; round += 1) {
    const before = performance.now();
    await ana.restart();
    using engine = await ana.connect(AbortSignal.timeout(LIMIT_MS));
    const snapshot = (await openPage(engine.client, items.listed)) / 1e6;
    const start = (performance.now() - before) / 1000;
    const startCpu = cpuOf(ana.engine);
    const asked = performance.now();
    await openPage(engine.client, items.listed);
    const again = (performance.now() - asked) / 1000;
    await sleep(SETTLE_MS);
    const [busy, from] = [cpuOf(ana.engine), performance.now()];
    await sleep(IDLE_MS);
    const cpu = ((cpuOf(ana.engine) - busy) / ((performance.now() - from) / 1000)) * 100;
    starts.push({ start, startCpu, snapshot, again, memory: memoryOf(ana.engine), cpu });
    await ana.engine.stop();
  }
  return starts;
}

/** Bytes of what it gets. */
async function openPage(client: EngineClient, listed: number): Promise<number> {
  const snapshot = await client.system.snapshot();
  if (snapshot.items.length !== listed) throw new Error(`only ${snapshot.items.length} items are shown`);
  return JSON.stringify(snapshot).length;
}
