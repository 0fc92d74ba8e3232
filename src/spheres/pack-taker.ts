import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Breather } from '../base/breather.ts';
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey, InfoHash, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import type { PackRow } from '../storage/pack-table.ts';
import type { Storage } from '../storage/storage.ts';
import { requireSpace } from '../torrent/free-space.ts';
import type { Metainfo } from '../torrent/metainfo.ts';
import { parseMetainfo, pieceCount } from '../torrent/metainfo.ts';
import { devicesToEnd } from './devices-to-end.ts';
import type { EphemeralChannel } from './ephemeral-channel.ts';
import type { Mailbox, PackOffer } from './mailbox.ts';
import { readPack } from './pack-file.ts';
import { KEPT_MS } from './pack-giver.ts';
import { isComplete } from './piece-map.ts';
import type { EnvelopeEntry } from './protocol/envelope.ts';
import type { SignedEvent } from './protocol/event.ts';
import { decodeTicket, MAX_PACK_BYTES } from './protocol/history-pack.ts';
import type { KeptDelivery, Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import type { SwarmFeed } from './swarm-feed.ts';

export interface PackTakerDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly feed: SwarmFeed;
  readonly channel: EphemeralChannel;
  readonly mailbox: Pick<Mailbox, 'check'>;
  /** A folder of our own. */
  readonly folder: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** A pack without new bytes for so long may not come: what it holds is asked for as if there were none. */
const STALLED_MS = 120_000;
/** The same for one that is as slow as mail would be. */
const MOST_MS = 30 * 60_000;
/** After one that could not be used everything comes by mail for a while. */
const FAILED_MS = 3_600_000;
/** A ticket may be so long on its way. */
const ASKED_MS = 3_600_000;
/** Nobody confirms it; a giver who has never heard it forgets the pack in time. */
const END_SAID_AGAIN = 3;
/** Padding of the torrent's byte space: an eighth, and a piece. */
const MAX_TORRENT_BYTES = MAX_PACK_BYTES * 1.25;
/** Events whose effects are kept together: so few that nobody who asks meanwhile waits. */
const SHOWN_TOGETHER = 25;

/** Fetches packs of history that were asked for, and takes in what they hold as if members had relayed it. */
export class PackTaker {
  readonly #deps: PackTakerDeps;
  readonly #askedMs = new Map<string, number>();
  readonly #failedMs = new Map<SphereId, number>();
  /** What givers were told to forget. */
  readonly #ended = new Map<InfoHash, { readonly sphere: Sphere; readonly device: DeviceKey; timesLeft: number }>();
  /** When a pack began in this run, and when bytes of it came last. */
  readonly #movedMs = new Map<InfoHash, { readonly sinceMs: number; lastMs: number }>();

  constructor(deps: PackTakerDeps) {
    this.#deps = deps;
  }

  /** Whether what is missing in a sphere is on its way. */
  isComing({ id }: Sphere): boolean {
    const row = this.#rows().find(({ sphereId }) => sphereId === id);
    if (row === undefined) return false;
    const { sinceMs, lastMs } = this.#moved(row);
    return row.state !== 'fetching' || (this.#now - lastMs < STALLED_MS && this.#now - sinceMs < MOST_MS);
  }

  /** Whether a pack of this device is of use; one at a time, so that nobody fills the disk. */
  mayCome({ id }: Sphere, device: DeviceKey): boolean {
    // One that is to end gives by mail what it said, and is let into no swarm any more.
    if (devicesToEnd(this.#deps.storage).has(device)) return false;
    const hasFailed = this.#now - (this.#failedMs.get(id) ?? -Infinity) < FAILED_MS;
    return !hasFailed && this.#rows().every(({ sphereId }) => sphereId !== id);
  }

  asked({ id }: Sphere, device: DeviceKey): void {
    this.#askedMs.set(`${id} ${device}`, this.#now);
  }

  /** A member's device says that it has one for us. In the caller's transaction; the infohash of one that is of no use. */
  offered(sphere: Sphere, { device, ticket }: PackOffer): InfoHash | null {
    const { storage, clock, random, log } = this.#deps;
    const { infoHash, key, metainfo } = decodeTicket(ticket);
    const { length } = parseMetainfo(metainfo, { infoHash, sha256: null });
    const askedMs = this.#askedMs.get(`${sphere.id} ${device}`) ?? -Infinity;
    const isAsked = device !== null && this.#now - askedMs < ASKED_MS;
    // Of an item it has its own place.
    const isItem = storage.items.byInfoHash(infoHash).length > 0;
    const isKnown = isItem || storage.packs.get(infoHash) !== undefined || this.#deps.feed.has(infoHash);
    if (!isAsked || isKnown || !this.mayCome(sphere, device) || length > MAX_TORRENT_BYTES) {
      log.info('history pack not taken', { sphereId: sphere.id, isAsked, isKnown, length });
      return infoHash;
    }
    const rest = { file: `${toHex(random(16))}.pack`, bitfield: null, stored: 0, began: null, atMs: clock.now() };
    storage.packs.put({ infoHash, sphereId: sphere.id, device, state: 'fetching', key, metainfo, ...rest });
    log.info('history pack comes', { sphereId: sphere.id, bytes: length });
    return null;
  }

  /** More of a pack is on the disk; whether that was the rest. */
  came(infoHash: InfoHash, bitfield: Uint8Array): boolean {
    const row = this.#deps.storage.packs.get(infoHash);
    if (row?.state !== 'fetching') return false;
    this.#moved(row).lastMs = this.#now;
    this.#deps.storage.packs.update(infoHash, { bitfield });
    return isWhole({ ...row, bitfield });
  }

  /** Goes on with everything. */
  async look(signal: AbortSignal): Promise<void> {
    for (const row of this.#rows()) {
      const sphere = this.#deps.list.find(row.sphereId);
      if (sphere?.row.state !== 'joined' || this.#isGiverGone(sphere, row)) await this.#drop(row);
      else await this.#goOn(sphere, row, signal);
    }
  }

  /** Whether what is not here yet comes no more: its giver was removed, has left or is to end. Others are asked then. */
  #isGiverGone({ state }: Sphere, row: PackRow): boolean {
    const isThere = state.devices.has(row.device) && !devicesToEnd(this.#deps.storage).has(row.device);
    return row.state === 'fetching' && !isThere && !isWhole(row);
  }

  /** The torrent came to rest without its bytes. */
  async failed(infoHash: InfoHash, error: unknown): Promise<void> {
    const row = this.#deps.storage.packs.get(infoHash);
    if (row?.state === 'fetching') await this.#giveUp(row, error);
  }

  async #goOn(sphere: Sphere, row: PackRow, signal: AbortSignal): Promise<void> {
    const { storage, feed, log, clock } = this.#deps;
    if (row.state === 'fetching') {
      if (!isWhole(row)) return await this.#fetch(row, signal);
      await feed.remove(row.infoHash);
      storage.packs.update(row.infoHash, { state: 'storing' });
    }
    const startMs = clock.monotonic();
    if (row.state !== 'showing') {
      try {
        await this.#store(sphere, row, signal);
      } catch (error) {
        signal.throwIfAborted();
        this.#noteFailure(row, error);
      }
      storage.packs.update(row.infoHash, { state: 'showing' });
    }
    // Also what was stored before the rest could not be read: others see no gap there, and nobody would give it again.
    await this.#show(sphere, signal);
    // The giver forgets it when it hears that.
    storage.settle();
    await this.#end(row);
    log.info('history pack taken in', { sphereId: sphere.id, tookMs: Math.round(clock.monotonic() - startMs) });
  }

  /** Everything comes as if there were none. */
  async #giveUp(row: PackRow, error: unknown): Promise<void> {
    this.#noteFailure(row, error);
    await this.#end(row);
  }

  #noteFailure({ sphereId, state }: PackRow, error: unknown): void {
    this.#deps.log.warn('history pack of no use', { sphereId, state, error });
    this.#failedMs.set(sphereId, this.#now);
  }

  async #fetch(row: PackRow, signal: AbortSignal): Promise<void> {
    try {
      await this.#startFetching(row);
    } catch (error) {
      signal.throwIfAborted();
      await this.#giveUp(row, error);
    }
  }

  async #startFetching(row: PackRow): Promise<void> {
    const { feed, folder, clock } = this.#deps;
    const ageMs = clock.now() - row.atMs;
    if (ageMs > KEPT_MS || ageMs < -KEPT_MS) throw new AppError('timed-out', 'the giver has forgotten it');
    if (feed.has(row.infoHash)) return;
    this.#moved(row);
    const { sphereId, infoHash, metainfo, key: mediaKey, bitfield, file } = row;
    const { length } = shapeOf(row);
    await requireSpace(folder, length);
    const place = { path: join(folder, file), root: folder, identity: null };
    const segments = [{ kind: 'file' as const, offset: 0, length, ...place }];
    const rest = { bitfield, paused: false, background: true };
    await feed.add({ sphereId, infoHash, metainfo, mediaKey, segments, ...rest });
  }

  /** Writes down what it holds, from where an earlier run stopped, then takes all of it into the log: judged once. */
  async #store(sphere: Sphere, row: PackRow, signal: AbortSignal): Promise<void> {
    const { storage, folder, clock } = this.#deps;
    const breather = new Breather({ clock });
    let stored = row.stored;
    const fresh: SignedEvent[] = [];
    try {
      for await (const entries of readPack(join(folder, row.file), row, stored)) {
        const checked = await this.#check(sphere, entries, breather, signal);
        stored += 1;
        const keep = (): readonly SignedEvent[] => {
          storage.packs.update(row.infoHash, { stored });
          return sphere.store(checked);
        };
        fresh.push(...storage.transaction(keep, 'later'));
        await breather.breathe();
      }
    } finally {
      // Also when the rest cannot be read: what is on the disk must be in the log.
      this.#takeIn(sphere, fresh);
    }
  }

  #takeIn(sphere: Sphere, events: readonly SignedEvent[]): void {
    try {
      this.#deps.storage.transaction(() => sphere.addStored(events));
    } catch (error) {
      sphere.reload();
      throw error;
    }
  }

  async #check(
    sphere: Sphere,
    entries: readonly EnvelopeEntry[],
    breather: Breather,
    signal: AbortSignal,
  ): Promise<KeptDelivery[]> {
    const checked: KeptDelivery[] = [];
    for (const entry of entries) {
      checked.push(...this.#deps.mailbox.check(sphere, [entry]));
      await breather.breathe();
      signal.throwIfAborted();
    }
    return checked;
  }

  /** Everything in the log that has no line yet takes effect: after a crash nobody knows how far that had come. */
  async #show(sphere: Sphere, signal: AbortSignal): Promise<void> {
    const { storage, list, clock } = this.#deps;
    const breather = new Breather({ clock });
    const waiting: SignedEvent[] = [];
    const apply = (): void => {
      if (waiting.length > 0) list.takeEffect(sphere, waiting.splice(0));
    };
    for (const event of sphere.log.events()) {
      if (!storage.messages.has(event.id)) waiting.push(event);
      if (waiting.length >= SHOWN_TOGETHER) apply();
      await breather.breathe();
      signal.throwIfAborted();
    }
    apply();
  }

  async #end(row: PackRow): Promise<void> {
    const sphere = this.#deps.list.find(row.sphereId);
    await this.#drop(row);
    if (sphere !== undefined) await this.sayEnd(sphere, row);
  }

  /** Tells the giver that it may forget it; again when it is heard, for it may just not be there. */
  async sayEnd(sphere: Sphere, { device, infoHash }: Pick<PackRow, 'device' | 'infoHash'>): Promise<void> {
    this.#ended.set(infoHash, { sphere, device, timesLeft: END_SAID_AGAIN });
    await this.#deps.channel.say(sphere, 'pack-end', { to: device, infoHash });
  }

  /** Whether a device is there to be told again of a pack that it may forget. */
  hasEndFor(device: DeviceKey): boolean {
    return [...this.#ended.values()].some((ended) => ended.device === device);
  }

  /** A device said something. */
  async heard(device: DeviceKey): Promise<void> {
    for (const [infoHash, ended] of this.#ended) {
      if (ended.device !== device) continue;
      ended.timesLeft -= 1;
      if (ended.timesLeft === 0) this.#ended.delete(infoHash);
      await this.#deps.channel.say(ended.sphere, 'pack-end', { to: device, infoHash });
    }
  }

  async #drop(row: PackRow): Promise<void> {
    const { storage, feed, folder } = this.#deps;
    storage.packs.remove(row.infoHash);
    this.#movedMs.delete(row.infoHash);
    await feed.remove(row.infoHash);
    await rm(join(folder, row.file), { force: true });
  }

  get #now(): number {
    return this.#deps.clock.monotonic();
  }

  #rows(): PackRow[] {
    return this.#deps.storage.packs.list().filter(({ state }) => state !== 'given');
  }

  #moved({ infoHash }: PackRow): { readonly sinceMs: number; lastMs: number } {
    const known = this.#movedMs.get(infoHash) ?? { sinceMs: this.#now, lastMs: this.#now };
    this.#movedMs.set(infoHash, known);
    return known;
  }
}

function isWhole(row: PackRow): boolean {
  return isComplete(row.bitfield, pieceCount(shapeOf(row)));
}

function shapeOf({ metainfo, infoHash }: PackRow): Metainfo {
  return parseMetainfo(metainfo, { infoHash, sha256: null });
}
