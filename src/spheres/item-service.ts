import { open } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { InfoHash, ItemId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Segment, SwarmEvent, TorrentState } from '../contract/swarm.ts';
import type { ErrorView, ItemState } from '../contract/views.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import { requireSpace } from '../torrent/free-space.ts';
import { placeItem } from '../torrent/place-files.ts';
import { edgeDigests } from './edge-digest.ts';
import type { HaveWaiter } from './have-waiter.ts';
import type { ItemSource } from './item-source.ts';
import { isComplete } from './piece-map.ts';
import { identify } from './prepare-item.ts';
import { layoutItem } from './protocol/layout.ts';
import type { KnownEvent } from './protocol/event.ts';
import type { Manifest } from './protocol/manifest.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import type { SwarmFeed } from './swarm-feed.ts';

interface ItemServiceDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly feed: SwarmFeed;
  readonly source: ItemSource;
  readonly waiter: HaveWaiter;
  /** Runs work that outlives the call that began it. */
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** States in which the swarm serves or fetches the item. */
const DONE: readonly ItemState[] = ['complete', 'sharing'];

/** What this device has of each item: fetching, checking, serving on, and how far all that is. */
export class ItemService implements Disposable {
  readonly onItem: Emitter<ItemId>;
  readonly #deps: ItemServiceDeps;
  readonly #live = new Map<InfoHash, TorrentState>();
  readonly #errors = new Map<ItemId, ErrorView>();
  readonly #starting = new Map<ItemId, Promise<void>>();
  readonly #stop: () => void;

  constructor(deps: ItemServiceDeps) {
    this.#deps = deps;
    this.onItem = new Emitter((error) => deps.log.error('item listener failed', { error }));
    this.#stop = deps.feed.onEvent.on((event) => this.#take(event));
  }

  row(itemId: ItemId): ItemRow {
    const row = this.#deps.storage.items.get(itemId);
    if (row === undefined) throw new AppError('not-found', 'no such item', { itemId });
    return row;
  }

  /** What the swarm last said of it. */
  live(row: ItemRow): TorrentState | undefined {
    return this.#live.get(row.infoHash);
  }

  error(itemId: ItemId): ErrorView | null {
    return this.#errors.get(itemId) ?? null;
  }

  /** After a start: everything that has a place on this disk goes on where it was. */
  async resumeAll(): Promise<void> {
    for (const row of this.#deps.storage.items.listAll()) {
      const sphere = this.#deps.list.find(row.sphereId);
      const isMember = sphere !== undefined && !['left', 'removed'].includes(sphere.row.state);
      if (!isMember || !row.wanted || this.#deps.feed.has(row.infoHash)) continue;
      if (row.layout === null) this.#start(row.itemId);
      else await this.activate(row.itemId);
    }
  }

  /** Tells the swarm about an item that has its place on this disk. */
  async activate(itemId: ItemId): Promise<void> {
    const { list, source, feed, waiter, log } = this.#deps;
    const row = this.row(itemId);
    if (row.layout === null) return;
    const sphere = list.get(row.sphereId);
    try {
      const event = source.event(sphere, itemId);
      if (row.bitfield !== null) waiter.set(row.infoHash, row.bitfield);
      await feed.add({
        sphereId: row.sphereId,
        infoHash: row.infoHash,
        metainfo: await source.metainfo(sphere, event, new AbortController().signal),
        mediaKey: source.mediaKey(sphere, event),
        segments: [...row.layout],
        bitfield: row.bitfield,
        paused: row.paused,
        background: true,
      });
    } catch (error) {
      log.warn('item not active', { error });
      this.#fail(itemId, error);
    }
  }

  /** Begins or continues a download; returns at once. */
  get(itemId: ItemId): void {
    const row = this.row(itemId);
    if (DONE.includes(row.state)) return;
    this.#requireOwnTorrent(row);
    // Nobody would admit us: what is not here does not come any more.
    this.#deps.list.getJoined(row.sphereId);
    this.#errors.delete(itemId);
    this.#update(itemId, { wanted: true, ...(row.layout === null ? { state: 'queued' as const } : {}) });
    if (row.layout === null) this.#start(itemId);
    else this.#deps.spawn('continue item', () => this.#continue(itemId));
  }

  /** Resolves when the item is verified on disk; rejects when it fails. */
  async wait(itemId: ItemId, signal: AbortSignal): Promise<void> {
    const ended = Promise.withResolvers<void>();
    const check = (): void => {
      const { state } = this.row(itemId);
      if (DONE.includes(state)) ended.resolve();
      const error = this.error(itemId);
      if (state === 'failed' && error !== null) ended.reject(new AppError(error.code, error.message));
    };
    const stop = this.onItem.on((changed) => changed === itemId && check());
    const onAbort = (): void => ended.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      check();
      if (signal.aborted) onAbort();
      await ended.promise;
    } finally {
      stop();
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Resolves when it is decided where the item's files go. */
  async placed(itemId: ItemId, signal: AbortSignal): Promise<void> {
    const starting = this.#starting.get(itemId);
    if (starting !== undefined) await Promise.race([starting, untilAborted(signal)]);
    if (this.row(itemId).layout !== null) return;
    const error = this.error(itemId);
    throw new AppError(error?.code ?? 'not-found', error?.message ?? 'the item has no place on this disk yet');
  }

  async setPaused(itemId: ItemId, paused: boolean): Promise<void> {
    const row = this.row(itemId);
    if (!row.wanted) return;
    const state = DONE.includes(row.state) ? row.state : paused ? ('paused' as const) : ('downloading' as const);
    this.#update(itemId, { paused, state });
    await this.#deps.feed.setPaused(row.infoHash, paused);
  }

  async pauseAll(paused: boolean): Promise<void> {
    for (const row of this.#deps.storage.items.listAll()) await this.setPaused(row.itemId, paused);
  }

  /** The sphere was left or we were removed: nothing of it is served or fetched any more. */
  async stopSphere(sphere: Sphere): Promise<void> {
    const { storage, feed } = this.#deps;
    for (const row of storage.items.list(sphere.id)) await feed.remove(row.infoHash);
    await feed.removeSphere(sphere.id);
  }

  /** The swarm outlives the account and would tell of items whose database is closed. */
  [Symbol.dispose](): void {
    this.#stop();
  }

  /** A second item over one torrent, which no honest sharer makes, would take the swarm's hold off the first. */
  #requireOwnTorrent({ itemId, infoHash }: ItemRow): void {
    const others = this.#deps.storage.items.byInfoHash(infoHash).filter((other) => other.itemId !== itemId);
    if (others.every(({ wanted }) => !wanted)) return;
    throw new AppError('conflict', 'these bytes are here already, as another item', { itemId });
  }

  #start(itemId: ItemId): void {
    if (this.#starting.has(itemId)) return;
    const started = Promise.withResolvers<void>();
    this.#starting.set(itemId, started.promise);
    this.#deps.spawn('start item', async (signal) => {
      try {
        await this.#place(itemId, signal);
        await this.activate(itemId);
      } catch (error) {
        if (!signal.aborted) this.#fail(itemId, error);
      } finally {
        this.#starting.delete(itemId);
        started.resolve();
      }
    });
  }

  async #continue(itemId: ItemId): Promise<void> {
    const row = this.row(itemId);
    if (row.paused) await this.setPaused(itemId, false);
    if (row.state !== 'failed' && this.#deps.feed.has(row.infoHash)) return;
    this.#update(itemId, { state: 'queued' });
    await this.#deps.feed.remove(row.infoHash);
    await this.activate(itemId);
  }

  /** Decides where the files go, once everything needed for fetching them is here. */
  async #place(itemId: ItemId, signal: AbortSignal): Promise<void> {
    const { list, source } = this.#deps;
    const sphere = list.get(this.row(itemId).sphereId);
    const event = source.event(sphere, itemId);
    // Fails before anything is on the disk when the key has not come.
    source.mediaKey(sphere, event);
    await requireSpace(sphere.row.folder, event.body.bytes);
    await source.metainfo(sphere, event, signal);
    const manifest = await source.manifest(sphere, event, signal);
    const layout = await this.#layout(sphere, event, manifest, signal);
    this.#update(itemId, { layout: layout.segments, path: layout.path, bitfield: null, state: 'downloading' });
  }

  async #layout(
    sphere: Sphere,
    event: KnownEvent<'item'>,
    manifest: Manifest,
    signal: AbortSignal,
  ): Promise<{ segments: Segment[]; path: string }> {
    const { body } = event;
    const manifestBytes = this.#deps.storage.attachments.get(event.id, 'manifest') ?? new Uint8Array();
    const sizes = manifest.files.map(({ bytes }) => bytes);
    const layout = layoutItem(sizes, manifestBytes.length, body.pieceLength);
    const isFolder = body.media.kind === 'folder';
    const placed = await placeItem(
      {
        folder: sphere.row.folder,
        root: isFolder ? 'folder' : 'file',
        name: body.name,
        files: manifest.files.map(({ path }) => path),
      },
      signal,
    );
    const files = manifest.files.map((file, index): Segment => {
      const path = placed.files[index];
      if (path === undefined) throw new AppError('internal', 'a file without a place');
      const offset = layout.files[index]?.offset ?? 0;
      return { kind: 'file', offset, length: file.bytes, path, root: placed.root, identity: null };
    });
    const listed: Segment = { kind: 'bytes', offset: layout.manifest.offset, bytes: manifestBytes };
    return { segments: [...files, listed], path: placed.path };
  }

  #take(event: SwarmEvent): void {
    if (event.kind === 'have') this.#have(event);
    if (event.kind === 'state') this.#state(event.torrent);
    if (event.kind === 'peers') this.#holders(event.peers);
  }

  #have(have: Extract<SwarmEvent, { kind: 'have' }>): void {
    for (const row of this.#deps.storage.items.byInfoHash(have.infoHash)) {
      if (row.layout === null) continue;
      const bytes = this.#bytes(row);
      const layout = have.identities === null ? row.layout : identify(row.layout, have.identities);
      this.#update(row.itemId, { bitfield: have.bitfield, bytesHave: Math.min(have.bytesHave, bytes), layout });
    }
  }

  #state(torrent: TorrentState): void {
    this.#live.set(torrent.infoHash, torrent);
    for (const row of this.#deps.storage.items.byInfoHash(torrent.infoHash)) {
      if (row.layout === null) continue;
      const state = this.#nextState(row, torrent);
      if (state === 'verifying' && row.state !== 'verifying') {
        this.#update(row.itemId, { state });
        this.#deps.spawn('verify item', (signal) => this.#verify(row.itemId, signal));
      } else if (state !== row.state) {
        this.#update(row.itemId, { state });
      } else {
        this.onItem.emit(row.itemId);
      }
      if (torrent.error !== null) this.#errors.set(row.itemId, torrent.error);
    }
  }

  #nextState(row: ItemRow, torrent: TorrentState): ItemState {
    switch (torrent.state) {
      case 'starting':
        return row.state;
      case 'complete':
        if (DONE.includes(row.state)) return row.state;
        return this.#isWholeOnDisk(row) ? (this.#isMine(row) ? 'sharing' : 'verifying') : row.state;
      case 'paused':
        return DONE.includes(row.state) ? row.state : 'paused';
      case 'downloading':
      case 'changed':
      case 'missing':
      case 'disk-full':
      case 'failed':
        return torrent.state;
    }
  }

  /** The last look before the item is shown as complete: do its files begin and end as the sharer's did? */
  async #verify(itemId: ItemId, signal: AbortSignal): Promise<void> {
    const { source } = this.#deps;
    const row = this.row(itemId);
    try {
      const manifest = source.knownManifest(itemId);
      const files = (row.layout ?? []).filter((segment) => segment.kind === 'file');
      for (const [index, file] of (manifest?.files ?? []).entries()) {
        const path = files[index]?.path ?? '';
        if (file.bytes === 0) await touch(path);
        const edges = await edgeDigests(path, file.bytes, signal);
        if (edges.headSha256 !== file.headSha256 || edges.tailSha256 !== file.tailSha256) {
          throw new AppError('forged', 'a file is not the one that was shared', { file: index });
        }
      }
      this.#update(itemId, { state: 'complete', bytesHave: this.#bytes(row) });
    } catch (error) {
      if (signal.aborted) return;
      this.#fail(itemId, error);
      await this.#deps.feed.remove(row.infoHash);
    }
  }

  /** A member seen with a full copy is remembered, so that we know later whether ours is the only one. */
  #holders(peers: Extract<SwarmEvent, { kind: 'peers' }>['peers']): void {
    const { storage } = this.#deps;
    for (const peer of peers) {
      for (const row of storage.items.byInfoHash(peer.infoHash)) {
        if (peer.bytesHave < this.#bytes(row)) continue;
        const holders = this.holders(row.itemId);
        if (holders.includes(peer.device)) continue;
        storage.settings.set(holdersKey(row.itemId), [...holders, peer.device]);
        this.onItem.emit(row.itemId);
      }
    }
  }

  /** Devices of others that once had the whole item. */
  holders(itemId: ItemId): readonly string[] {
    const parse = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
    return this.#deps.storage.settings.get(holdersKey(itemId), parse) ?? [];
  }

  #isWholeOnDisk(row: ItemRow): boolean {
    const event = this.#event(row);
    if (event === undefined) return false;
    const content = (row.layout ?? []).reduce((end, part) => Math.max(end, endOf(part)), 0);
    return isComplete(row.bitfield, Math.ceil(content / event.body.pieceLength));
  }

  #isMine(row: ItemRow): boolean {
    const sphere = this.#deps.list.find(row.sphereId);
    return sphere !== undefined && this.#event(row)?.header.device === sphere.device;
  }

  #bytes(row: ItemRow): number {
    return this.#event(row)?.body.bytes ?? 0;
  }

  #event(row: ItemRow): KnownEvent<'item'> | undefined {
    const event = this.#deps.list.find(row.sphereId)?.log.get(row.itemId as string as KnownEvent['id']);
    return event?.type === 'item' ? event : undefined;
  }

  #fail(itemId: ItemId, error: unknown): void {
    const code = errorCode(error);
    this.#deps.log.warn('item failed', { error });
    this.#errors.set(itemId, { code, message: error instanceof Error ? error.message : 'unknown' });
    this.#update(itemId, { state: code === 'disk-full' ? 'disk-full' : 'failed' });
  }

  #update(itemId: ItemId, change: Partial<Omit<ItemRow, 'itemId'>>): void {
    this.#deps.storage.items.update(itemId, { ...change, updatedAtMs: this.#deps.clock.now() });
    this.onItem.emit(itemId);
  }
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

function endOf(segment: Segment): number {
  return segment.offset + (segment.kind === 'file' ? segment.length : segment.bytes.length);
}

function holdersKey(itemId: ItemId): string {
  return `holders/${itemId}`;
}

/** An empty file has no piece that would make it. */
async function touch(path: string): Promise<void> {
  await using file = await open(path, 'a');
  await file.sync();
}
