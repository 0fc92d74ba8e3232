import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Breather } from '../base/breather.ts';
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey, EventId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import type { RandomBytes } from '../base/random.ts';
import { RateLimit } from '../base/rate-limit.ts';
import type { FileIdentity, Segment } from '../contract/swarm.ts';
import type { PackRow } from '../storage/pack-table.ts';
import type { Storage } from '../storage/storage.ts';
import { readIdentity } from '../torrent/file-identity.ts';
import { requireSpace } from '../torrent/free-space.ts';
import type { TorrentShape } from '../torrent/metainfo.ts';
import { buildMetainfo, parseMetainfo, pieceCount } from '../torrent/metainfo.ts';
import { devicesToEnd } from './devices-to-end.ts';
import { historyFor } from './history.ts';
import { writePack } from './pack-file.ts';
import { fullBitfield } from './piece-map.ts';
import { attachment, decodeEnvelope, encodeEnvelope, entryOf, findAttachment } from './protocol/envelope.ts';
import type { EnvelopeEntry } from './protocol/envelope.ts';
import type { SignedEvent } from './protocol/event.ts';
import { decodeTicket, encodeTicket } from './protocol/history-pack.ts';
import { layoutItem } from './protocol/layout.ts';
import { generateMediaKey } from './protocol/media-key.ts';
import { knownDevice } from './recipients.ts';
import { relayEntry } from './relay.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import type { SwarmFeed } from './swarm-feed.ts';

export interface PackGiverDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly feed: SwarmFeed;
  /** A folder of our own. */
  readonly folder: string;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  /** Something new stands in the outbox. */
  readonly queued: () => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** What is asked for by one device. */
export interface Wish {
  readonly sphere: Sphere;
  readonly device: DeviceKey;
  readonly events: readonly SignedEvent[];
}

/** Whoever asks again so soon has not got the message that tells of it. */
const JUST_TOLD_MS = 60_000;
/** Packs are files on this disk: of each device in each sphere, and at one time in all. */
export const GIVEN = { burst: 2, intervalMs: 600_000 };
const MOST_AT_ONCE = 8;
/** Whoever does not come for it in that time asks anew. */
export const KEPT_MS = 3 * 86_400_000;

/** Makes packs of history for devices that asked for more than mail carries well, and serves them until they are there. */
export class PackGiver {
  readonly #deps: PackGiverDeps;
  readonly #limit: RateLimit;
  readonly #making = new Set<string>();
  readonly #failedMs = new Map<string, number>();
  readonly #queue = new SerialQueue();

  constructor(deps: PackGiverDeps) {
    this.#deps = deps;
    this.#limit = new RateLimit({ ...deps, ...GIVEN });
  }

  /** Whether it is, or will be, given as a pack; if not, it is to be sent by mail. */
  give(wish: Wish): boolean {
    const { feed, clock, spawn } = this.#deps;
    const key = keyOf(wish.sphere, wish.device);
    if (this.#making.has(key)) return true;
    const given = this.#rows();
    const known = given.find(({ sphereId, device }) => sphereId === wish.sphere.id && device === wish.device);
    if (known !== undefined && clock.now() - known.atMs < JUST_TOLD_MS) return true;
    const isTooMany = known === undefined && given.length + this.#making.size >= MOST_AT_ONCE;
    const hasFailed = clock.monotonic() - (this.#failedMs.get(key) ?? -Infinity) < GIVEN.intervalMs;
    if (isTooMany || hasFailed || !feed.running || !this.#limit.take(key)) return false;
    this.#making.add(key);
    spawn('pack history', async (signal) => {
      try {
        if (known !== undefined) await this.drop(known);
        await this.#queue.run(() => this.#make(wish, signal));
      } catch (error) {
        signal.throwIfAborted();
        // It asks again, and gets it by mail then.
        this.#deps.log.warn('history not packed', { sphereId: wish.sphere.id, error });
        this.#failedMs.set(key, this.#deps.clock.monotonic());
      } finally {
        this.#making.delete(key);
      }
    });
    return true;
  }

  /** The device says that it needs it no more. */
  async ended(infoHash: PackRow['infoHash'], device: DeviceKey): Promise<void> {
    const row = this.#deps.storage.packs.get(infoHash);
    if (row?.state === 'given' && row.device === device) await this.drop(row);
  }

  /** Serves what is to be served, and nothing else; how long until the next one is too old. */
  async look(): Promise<number> {
    const { clock, feed } = this.#deps;
    let nextMs = KEPT_MS;
    for (const row of this.#rows()) {
      const leftMs = row.atMs + KEPT_MS - clock.now();
      if (leftMs <= 0 || leftMs > KEPT_MS || !this.#isMember(row)) await this.drop(row);
      else if (!feed.has(row.infoHash)) await this.#serve(row);
      nextMs = Math.min(nextMs, Math.max(0, leftMs));
    }
    return nextMs;
  }

  async drop(row: PackRow): Promise<void> {
    const { storage, feed, folder, log } = this.#deps;
    storage.packs.remove(row.infoHash);
    this.#untell(row);
    await feed.remove(row.infoHash);
    await rm(join(folder, row.file), { force: true });
    log.info('history pack dropped', { sphereId: row.sphereId });
  }

  /** A message with its key that has not left yet would be in vain, or come to one that may not have it any more. */
  #untell({ sphereId, infoHash }: PackRow): void {
    const { outbox } = this.#deps.storage;
    for (const { id, envelope } of outbox.byEvent(sphereId as string as EventId)) {
      const [entry] = decodeEnvelope(envelope);
      const ticket = findAttachment(entry?.attachments ?? [], 'history-pack');
      if (ticket !== undefined && decodeTicket(ticket).infoHash === infoHash) outbox.remove(id);
    }
  }

  #rows(): PackRow[] {
    return this.#deps.storage.packs.list().filter(({ state }) => state === 'given');
  }

  /** Whether what the pack holds may still go to its device. */
  #isMember({ sphereId, device, began }: PackRow): boolean {
    const { list, storage } = this.#deps;
    const sphere = list.find(sphereId);
    if (sphere?.row.state !== 'joined' || devicesToEnd(storage).has(device)) return false;
    // Whoever was removed and came back gets what is theirs since.
    return knownDevice(sphere.state, device) !== undefined && beganOf(sphere, device) === began;
  }

  async #make(wish: Wish, signal: AbortSignal): Promise<void> {
    const { folder, storage, random, clock, log } = this.#deps;
    const { sphere, device, events } = wish;
    const startMs = clock.monotonic();
    const file = `${toHex(random(16))}.pack`;
    const path = join(folder, file);
    const key = generateMediaKey(random);
    try {
      // To read how long each one is takes seconds, in which nothing else goes on.
      await requireSpace(folder, events.length * storage.events.averageBytes(sphere.id));
      const began = beganOf(sphere, device);
      const entries = this.#entries(wish, signal);
      const bytes = await writePack(path, { key, sphereId: sphere.id, entries, random });
      const identity = await readIdentity(path);
      const { metainfo, infoHash } = buildMetainfo(await this.#hash({ path, identity, key, bytes }, signal));
      const rest = { bitfield: null, stored: 0, began, atMs: clock.now() };
      await this.#tell({ infoHash, sphereId: sphere.id, device, state: 'given', file, key, metainfo, ...rest });
      const tookMs = Math.round(clock.monotonic() - startMs);
      log.info('history packed', { sphereId: sphere.id, events: events.length, bytes, tookMs });
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  /** As they would be relayed to that device. */
  async *#entries({ sphere, device, events }: Wish, signal: AbortSignal): AsyncGenerator<EnvelopeEntry> {
    const { storage, clock } = this.#deps;
    const person = sphere.state.devices.get(device)?.person;
    if (person === undefined) throw new AppError('not-a-member', 'the device has gone');
    const history = historyFor(sphere, person);
    const breather = new Breather({ clock });
    for (const event of events) {
      yield relayEntry(event, sphere, storage, history);
      await breather.breathe();
      signal.throwIfAborted();
    }
  }

  async #hash(
    file: { readonly path: string; readonly identity: FileIdentity; readonly key: Uint8Array; readonly bytes: number },
    signal: AbortSignal,
  ): Promise<TorrentShape> {
    const { path, identity, key: mediaKey, bytes } = file;
    // Padded like an item: its length tells as little.
    const { totalLength: length, pieceLength } = layoutItem([bytes], 0);
    const segments = segmentsOf(path, identity);
    return await this.#deps.feed.ask(async (swarm) => {
      for await (const step of await swarm.hash({ segments, length, pieceLength, mediaKey }, { signal })) {
        if (step.kind === 'done') return { length, pieceLength, pieces: step.pieces };
      }
      throw signal.reason ?? new AppError('internal', 'the hasher ended without a result');
    }, signal);
  }

  /** From here on it is kept, over a restart too: the pack and the message that tells of it. */
  async #tell(row: PackRow): Promise<void> {
    const { storage, list, queued } = this.#deps;
    const sphere = list.get(row.sphereId);
    const known = knownDevice(sphere.state, row.device);
    const genesis = sphere.log.get(sphere.id as string as EventId);
    // Packing took its time.
    if (!this.#isMember(row) || known === undefined || genesis === undefined)
      throw new AppError('not-a-member', 'the device has gone');
    const envelope = encodeEnvelope([entryOf(genesis, [attachment('history-pack', encodeTicket(row))])]);
    storage.transaction(() => {
      storage.packs.put(row);
      sphere.enqueueEnvelope(genesis.id, envelope, known.jid, { audience: known });
    });
    await this.#serve(row);
    queued();
  }

  async #serve(row: PackRow): Promise<void> {
    const { feed, folder, log } = this.#deps;
    const { sphereId, infoHash, metainfo, key: mediaKey } = row;
    const path = join(folder, row.file);
    try {
      const bitfield = fullBitfield(pieceCount(parseMetainfo(metainfo, { infoHash, sha256: null })));
      const segments = segmentsOf(path, await readIdentity(path));
      const rest = { bitfield, paused: false, background: true };
      await feed.add({ sphereId, infoHash, metainfo, mediaKey, segments, ...rest });
    } catch (error) {
      // Whoever waits for it asks anew.
      log.warn('history pack not served', { sphereId, error });
      await this.drop(row);
    }
  }
}

function segmentsOf(path: string, identity: FileIdentity): Segment[] {
  return [{ kind: 'file', offset: 0, length: identity.size, path, root: null, identity }];
}

/** The event that a device's person last joined by. */
function beganOf({ state }: Sphere, device: DeviceKey): EventId | null {
  const person = state.devices.get(device)?.person;
  const jid = person === undefined ? undefined : state.accounts.get(person);
  return (jid === undefined ? undefined : state.members.get(jid)?.began) ?? null;
}

function keyOf({ id }: Sphere, device: DeviceKey): string {
  return `${id} ${device}`;
}
