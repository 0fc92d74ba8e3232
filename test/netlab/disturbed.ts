import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseItemId, parseSphereId } from '../../src/base/id.ts';
import { worldWithCarrier } from './carried.ts';
import { ITEM_BYTES, sha256 } from './cell.ts';
import { EngineWatch } from './engine-watch.ts';
import { LabWorld } from './lab-world.ts';
import type { NetworkLab } from './network-lab.ts';
import type { Path } from './path-meter.ts';
import { PathMeter } from './path-meter.ts';

const PATIENCE_MS = 120_000;
const PULLED_MS = 20_000;
/** Slow enough, in Mbit/s, that the transfer is still under way when the network is back, or another path is. */
const [LINE, SLOW_LINE] = [40, 20];
const LOOK_MS = 250;

/** More than was on its way or not yet told when the network failed. */
const MORE_BYTES = 4 * 1024 * 1024;

export interface Disturbed {
  /** The home of the member who shares, and of the one who receives. */
  readonly a: string;
  readonly b: string;
  /** The home of a third member, who fetches from one and gives to the other. */
  readonly carrier?: string;
  /** The path that carries most, or that carries it again in the end. */
  readonly path: Path;
  /** Where it goes on by any path first: how soon after the network's return `path` carries it again. */
  readonly upgradeMs?: number;
  readonly of: 'a' | 'b';
  readonly what: 'the router loses power' | 'the cable is pulled for 20 s' | 'the public address changes';
  /** From the network's return to the next 4 MB, of which the line takes a second or two. */
  readonly mostMs: number;
}

export interface DisturbedResult {
  readonly pauseMs: number;
  /** Until the path carried it again; null where it is not waited for. */
  readonly upgradeMs: number | null;
  /** The path that carried most bytes, or that was waited for. */
  readonly path: Path;
  /** Whether what arrived has the SHA-256 of what was shared. */
  readonly isSame: boolean;
}

/** Disturbs a transfer of 64 MB after its first quarter; nobody does anything about it. */
export async function runDisturbed(disturbed: Disturbed): Promise<DisturbedResult> {
  const { b, carrier } = disturbed;
  const a = `${disturbed.a},rate=${disturbed.upgradeMs === undefined ? LINE : SLOW_LINE}`;
  const two = { homes: { a, b }, people: { sharer: 'a1', receiver: 'b1' } };
  const plan = carrier === undefined ? two : worldWithCarrier({ a, b, carrier });
  return await LabWorld.with(plan, (world) => measure(world, disturbed));
}

async function measure(world: LabWorld, disturbed: Disturbed): Promise<DisturbedResult> {
  const [sharer, receiver] = [world.person('sharer'), world.person('receiver')];
  const carriers = disturbed.carrier === undefined ? [] : [world.person('carrier')];
  const sphere = await world.sphere('Films', sharer, receiver, ...carriers);
  const outside = disturbed.carrier === undefined ? undefined : world.lab.home('c').outside;
  const meter = await PathMeter.start(world.lab, 'b1', outside);
  const file = path.join(world.lab.folder, 'film.bin');
  await writeFile(file, randomBytes(ITEM_BYTES));
  const id = await sharer.share(sphere, file);
  await receiver.item(sphere, id);
  await using watch = await EngineWatch.start(receiver);
  const ids = { sphereId: parseSphereId(sphere), itemId: parseItemId(id) };
  await receiver.ask((client) => client.items.get({ ...ids, wait: false }));
  const has = (): number => watch.items.get(id)?.bytesHave ?? 0;
  await watch.until('a quarter', () => has() > ITEM_BYTES / 4, PATIENCE_MS);
  await disturb(world.lab, disturbed);
  const [back, had] = [performance.now(), has()];
  const before = await meter.bytes();
  if (had > ITEM_BYTES / 2) throw new Error('the transfer was too fast to be disturbed');
  const going = await watch.until('the next pieces', () => has() > had + MORE_BYTES, PATIENCE_MS);
  // Here, so that it is told with the last lines of the logs, which end with what it waited for.
  if (going - back > disturbed.mostMs) throw new Error(`it went on after ${Math.round(going - back)} ms only`);
  const { path: wanted, upgradeMs } = disturbed;
  const isUpgraded = async (): Promise<boolean> => (await meter.bytes())[wanted] > before[wanted] + MORE_BYTES;
  const upgraded = upgradeMs === undefined ? null : await waitFor(isUpgraded, back + upgradeMs);
  await watch.until('the whole item', () => watch.items.get(id)?.state === 'complete', PATIENCE_MS);
  const arrived = watch.items.get(id)?.path ?? '';
  return {
    pauseMs: Math.round(going - back),
    upgradeMs: upgraded === null ? null : Math.round(upgraded - back),
    path: upgraded === null ? await meter.main() : wanted,
    isSame: (await sha256(arrived)) === (await sha256(file)),
  };
}

/** Resolves with the time on the clock of `performance` when the condition was found true. */
async function waitFor(isTrue: () => Promise<boolean>, untilMs: number): Promise<number> {
  while (!(await isTrue())) {
    if (performance.now() > untilMs) throw new Error('the better path does not carry it in time');
    await delay(LOOK_MS);
  }
  return performance.now();
}

async function disturb(lab: NetworkLab, { of, what }: Disturbed): Promise<void> {
  if (what === 'the router loses power') await lab.home(of).reboot();
  else if (what === 'the public address changes') await lab.home(of).changeAddress();
  else {
    await lab.cut(of);
    await delay(PULLED_MS);
    await lab.heal(of);
  }
}
