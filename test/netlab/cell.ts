import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseItemId, parseSphereId } from '../../src/base/id.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWatch } from './engine-watch.ts';
import type { LabWorldPlan } from './lab-world.ts';
import { LabWorld } from './lab-world.ts';
import type { Path } from './path-meter.ts';
import { PathMeter } from './path-meter.ts';

export const ITEM_BYTES = 64 * 1024 * 1024;
const PATIENCE_MS = 120_000;
/** So long the receiver has looked in vain before the member with the item appears. */
const IN_VAIN_MS = 1_000;
/** A change of the path is noticed within two seconds. */
const CHECK_AGAIN_MS = 1_500;
/** One of several meetings that takes so long has hung somewhere: the median does not show it, the logs do. */
const HANG_MS = 10_000;
/** Until the path was told, or the whole item would be there before anybody could ask. */
const UNHURRIED = 4_000_000;

/** Two members in two homes, and how they are to find each other. */
export interface Cell {
  /** The home of the member who shares. */
  readonly a: string;
  /** The home of the member who receives; `same` is the home of the sharer. */
  readonly b: string;
  /** The home of a third member with a copy, from whom the receiver gets it while the sharer is away. */
  readonly carrier?: string;
  /** Further arguments of the carrier's `serve`. */
  readonly carrierArguments?: readonly string[];
  /** The home has lost the internet before the members meet. */
  readonly withoutInternet?: boolean;
  readonly path: Path;
  /** For the first byte. */
  readonly mostMs: number;
}

export interface CellResult {
  readonly cell: Cell;
  /** The path that carried most bytes of the first round, which brings the whole item. */
  readonly path: Path | null;
  /** The path that the receiver's connection check names last while the bytes come, null when it names none. */
  readonly told: string | null;
  /** From both engines online to the first verified piece, of each round. */
  readonly firstByteMs: readonly number[];
  readonly medianMs: number;
  readonly mbitPerSecond: number;
  /** Whether what arrived has the SHA-256 of what was shared. */
  readonly isSame: boolean;
}

interface Meeting {
  readonly world: LabWorld;
  readonly sphereId: string;
  readonly receiver: Person;
  /** The member with the item, who is started again for each round. */
  readonly source: Person;
  readonly items: readonly { readonly id: string; readonly file: string }[];
  readonly meter: PathMeter;
  /** What the receiver is to tell: a carrier is reached as any member is. */
  readonly path: Exclude<Path, 'carrier'>;
}

/** Lets the members of a cell meet so many times, each time over another item. */
export async function runCell(cell: Cell, rounds: number): Promise<CellResult> {
  return await LabWorld.with(worldOf(cell), (world) => measure(world, cell, rounds));
}

async function measure(world: LabWorld, cell: Cell, rounds: number): Promise<CellResult> {
  const meeting = await prepare(world, cell, rounds);
  const firstByteMs: number[] = [];
  let mbitPerSecond = 0;
  let told: string | null = null;
  let path: Path | null = null;
  await using watch = await EngineWatch.start(meeting.receiver);
  for (const [round, { id }] of meeting.items.entries()) {
    // Later ones judge the first byte only: who is started again and again is heard less often.
    const isWhole = round === 0;
    const arriving = arrive(meeting, watch, id, isWhole);
    // Members of one network may meet before the server knows that both are there.
    const [begin, arrival] = await Promise.all([meet(meeting, watch, id, cell.withoutInternet === true), arriving]);
    const waitedMs = Math.max(0, Math.round(arrival.firstMs - begin));
    if (rounds > 1 && waitedMs > HANG_MS) throw new Error(`round ${round + 1} took ${waitedMs} ms`);
    firstByteMs.push(waitedMs);
    if (!isWhole) continue;
    ({ mbitPerSecond, told } = arrival);
    path = await meeting.meter.main();
  }
  const [whole] = meeting.items;
  const arrived = watch.items.get(whole?.id ?? '')?.path;
  return {
    cell,
    path,
    told,
    firstByteMs,
    medianMs: median(firstByteMs),
    mbitPerSecond,
    isSame: typeof arrived === 'string' && (await sha256(arrived)) === (await sha256(whole?.file ?? '')),
  };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const [low = 0, high = 0] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  return Math.round((low + high) / 2);
}

function worldOf(cell: Cell): LabWorldPlan {
  const carrier = cell.carrier === undefined ? {} : { c: cell.carrier };
  const third = cell.carrier === undefined ? {} : { carrier: 'c1' };
  const homes = cell.b === 'same' ? { a: `${cell.a},hosts=2` } : { a: cell.a, b: cell.b };
  return {
    homes: { ...homes, ...carrier },
    people: { sharer: 'a1', receiver: receiverHost(cell), ...third },
    serveArguments: { carrier: cell.carrierArguments ?? [] },
  };
}

function receiverHost(cell: Pick<Cell, 'b'>): string {
  return cell.b === 'same' ? 'a2' : 'b1';
}

async function prepare(world: LabWorld, cell: Cell, rounds: number): Promise<Meeting> {
  const [sharer, receiver] = [world.person('sharer'), world.person('receiver')];
  const carrier = cell.carrier === undefined ? undefined : world.person('carrier');
  const sphereId = await world.sphere('Films', sharer, receiver, ...(carrier === undefined ? [] : [carrier]));
  const items = [];
  for (let round = 0; round < rounds; round += 1) {
    const file = join(world.lab.folder, `film-${round}.bin`);
    await writeFile(file, randomBytes(ITEM_BYTES));
    const id = await sharer.share(sphereId, file);
    if (carrier !== undefined) {
      await carrier.item(sphereId, id);
      await carrier.get(sphereId, id);
    }
    await receiver.item(sphereId, id);
    items.push({ id, file });
  }
  if (carrier !== undefined) await sharer.engine.stop();
  if (cell.withoutInternet === true) await world.lab.cut('a');
  const outside = carrier === undefined ? undefined : world.lab.home('c').outside;
  const meter = await PathMeter.start(world.lab, receiverHost(cell), outside);
  return {
    world,
    sphereId,
    receiver,
    source: carrier ?? sharer,
    items,
    meter,
    path: cell.path === 'carrier' ? 'tcp' : cell.path,
  };
}

/** The receiver wants the item while nobody has it; then the other member appears. The time when both are online. */
async function meet(meeting: Meeting, watch: EngineWatch, item: string, withoutServer: boolean): Promise<number> {
  const { source, receiver } = meeting;
  const sphereId = parseSphereId(meeting.sphereId);
  await source.engine.stop();
  await receiver.ask((client) => client.items.get({ sphereId, itemId: parseItemId(item), wait: false }));
  await delay(IN_VAIN_MS);
  if (bytesOf(watch, item) > 0) throw new Error('the item came from nowhere');
  await source.restart();
  const started = performance.now();
  if (withoutServer) return started;
  await using other = await EngineWatch.start(source);
  // Online before anybody could look: judged by the earlier time.
  if (other.isOnline(sphereId)) return started;
  return await other.until('the other member online', () => other.isOnline(sphereId), PATIENCE_MS);
}

interface Arrival {
  /** When the first piece was verified, on the clock of `performance`. */
  readonly firstMs: number;
  /** Of everything after the path was told, 0 unless all of it was waited for. */
  readonly mbitPerSecond: number;
  readonly told: string | null;
}

async function arrive(meeting: Meeting, watch: EngineWatch, item: string, whole: boolean): Promise<Arrival> {
  const firstMs = await watch.until('the first piece', () => bytesOf(watch, item) > 0, 2 * PATIENCE_MS);
  if (whole) {
    const told = await toldPath(meeting, watch, item);
    return { firstMs, mbitPerSecond: await rest(meeting, watch, item), told };
  }
  if (bytesOf(watch, item) < ITEM_BYTES) {
    const ids = { sphereId: parseSphereId(meeting.sphereId), itemId: parseItemId(item) };
    await meeting.receiver.ask((client) => client.items.pause(ids));
  }
  return { firstMs, mbitPerSecond: 0, told: null };
}

/** What is told last while the bytes come: a relay may have been first, and was replaced by the direct path. */
async function toldPath({ receiver, path }: Meeting, watch: EngineWatch, item: string): Promise<string | null> {
  let told: string | null = null;
  await receiver.ask((client) => client.transfers.setLimits({ down: UNHURRIED }));
  for (;;) {
    told = (await checkedPath(receiver)) ?? told;
    if (told === path || bytesOf(watch, item) >= ITEM_BYTES) return told;
    await delay(CHECK_AGAIN_MS);
  }
}

async function checkedPath(receiver: Person): Promise<string | null> {
  return await receiver.ask(async (client) => {
    for await (const report of await client.doctor.check({ follow: false })) {
      const path = report.devices.find((device) => device.path !== null)?.path;
      if (path !== undefined) return path;
    }
    return null;
  });
}

async function rest({ receiver }: Meeting, watch: EngineWatch, item: string): Promise<number> {
  await receiver.ask((client) => client.transfers.setLimits({ down: 0 }));
  const [begin, had] = [performance.now(), bytesOf(watch, item)];
  const end = await watch.until('all pieces', () => bytesOf(watch, item) >= ITEM_BYTES, 4 * PATIENCE_MS);
  await watch.until('the whole item', () => watch.items.get(item)?.state === 'complete', PATIENCE_MS);
  return Math.round(((ITEM_BYTES - had) * 8) / 1_000 / Math.max(1, end - begin));
}

function bytesOf(watch: EngineWatch, item: string): number {
  return watch.items.get(item)?.bytesHave ?? 0;
}

export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(file)) hash.update(part as Buffer);
  return hash.digest('hex');
}
