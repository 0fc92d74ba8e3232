import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseItemId, parseSphereId } from '../../src/base/id.ts';
import { ITEM_BYTES, median, sha256 } from './cell.ts';
import { EngineWatch } from './engine-watch.ts';
import type { LabWorldPlan } from './lab-world.ts';
import { LabWorld } from './lab-world.ts';
import type { Path } from './path-meter.ts';
import { PathMeter } from './path-meter.ts';

const PATIENCE_MS = 120_000;
/** So long the receiver and the carrier have looked in vain before the member with the item appears. */
const IN_VAIN_MS = 1_000;

/** Two members who cannot connect to each other are online together, and a third fetches from one and gives to the other. */
export interface Carried {
  /** The home of the member who shares, and of the one who receives. */
  readonly a: string;
  readonly b: string;
  readonly carrier: string;
  /** From both engines online to the first verified piece. */
  readonly mostMs: number;
}

export interface CarriedResult {
  readonly path: Path;
  readonly firstByteMs: readonly number[];
  readonly medianMs: number;
  /** Of all items, from their first piece to their last. */
  readonly mbitPerSecond: number;
  readonly isSame: boolean;
}

interface Round {
  readonly firstMs: number;
  readonly mbitPerSecond: number;
  readonly isSame: boolean;
}

/** The plan of a world with a sharer in `a`, a receiver in `b`, and a carrier who is called on TCP 443 in `c`. */
export function worldWithCarrier({ a, b, carrier }: Pick<Carried, 'a' | 'b' | 'carrier'>): LabWorldPlan {
  return {
    homes: { a, b, c: carrier },
    people: { sharer: 'a1', receiver: 'b1', carrier: 'c1' },
    serveArguments: { carrier: ['--keep-everything', '--also-port', '443'] },
  };
}

/** Lets the three meet so many times, each time over another item that the carrier has not yet when they do. */
export async function runCarried(carried: Carried, rounds: number): Promise<CarriedResult> {
  return await LabWorld.with(worldWithCarrier(carried), async (world) => {
    const [sharer, receiver, carrier] = [world.person('sharer'), world.person('receiver'), world.person('carrier')];
    const sphere = await world.sphere('Films', sharer, receiver, carrier);
    const meter = await PathMeter.start(world.lab, 'b1', world.lab.home('c').outside);
    const measured: Round[] = [];
    for (let round = 0; round < rounds; round += 1) measured.push(await meet(world, sphere, round));
    const firstByteMs = measured.map(({ firstMs }) => Math.round(firstMs));
    return {
      path: await meter.main(),
      firstByteMs,
      medianMs: median(firstByteMs),
      mbitPerSecond: median(measured.map(({ mbitPerSecond }) => mbitPerSecond)),
      isSame: measured.every(({ isSame }) => isSame),
    };
  });
}

async function meet(world: LabWorld, sphere: string, round: number): Promise<Round> {
  const [sharer, receiver, carrier] = [world.person('sharer'), world.person('receiver'), world.person('carrier')];
  // Who keeps everything would have it at once.
  await carrier.engine.stop();
  const file = path.join(world.lab.folder, `film-${round}.bin`);
  await writeFile(file, randomBytes(ITEM_BYTES));
  const id = await sharer.share(sphere, file);
  await receiver.item(sphere, id);
  await sharer.engine.stop();
  await carrier.restart();
  await carrier.item(sphere, id);
  await using watch = await EngineWatch.start(receiver);
  const sphereId = parseSphereId(sphere);
  await receiver.ask((client) => client.items.get({ sphereId, itemId: parseItemId(id), wait: false }));
  await delay(IN_VAIN_MS);
  const has = (): number => watch.items.get(id)?.bytesHave ?? 0;
  if (has() > 0) throw new Error('the item came from nowhere');
  await sharer.restart();
  const started = performance.now();
  const arriving = watch.until('the first piece', () => has() > 0, PATIENCE_MS);
  await using other = await EngineWatch.start(sharer);
  // Online before anybody could look: judged by the earlier time.
  const online = other.isOnline(sphereId)
    ? started
    : await other.until('the sharer online', () => other.isOnline(sphereId), PATIENCE_MS);
  const first = await arriving;
  const whole = await watch.until('the item', () => watch.items.get(id)?.state === 'complete', PATIENCE_MS);
  return {
    firstMs: Math.max(0, first - online),
    mbitPerSecond: Math.round((ITEM_BYTES * 8) / 1_000 / Math.max(1, whole - first)),
    isSame: (await sha256(watch.items.get(id)?.path ?? '')) === (await sha256(file)),
  };
}
