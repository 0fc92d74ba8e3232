import { rm } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import type { Emitter } from '../base/emitter.ts';
import type { ErrorCode } from '../base/errors.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { DeviceKey, InfoHash, ItemId } from '../base/id.ts';
import { inBatches } from '../base/in-batches.ts';
import type { Logger } from '../base/log.ts';
import { untilAborted } from '../base/until-aborted.ts';
import type { TorrentState } from '../contract/swarm.ts';
import type { ErrorView, ItemState } from '../contract/views.ts';
import { isOnList, type ItemRow } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { ManyFiles } from '../torrent/file-thread.ts';
import { requireSpace } from '../torrent/free-space.ts';
import { chosenPlace, isSameChoice, rangesOf, widen } from './chosen-files.ts';
import { findPlace } from './find-place.ts';
import { formerSpheres } from './carry-over.ts';
import type { HaveWaiter } from './have-waiter.ts';
import { ItemAdoption } from './item-adoption.ts';
import { ItemBook, NOWHERE } from './item-book.ts';
import { ItemEdits } from './item-edits.ts';
import { ItemProgress } from './item-progress.ts';
import { ItemRecheck } from './item-recheck.ts';
import type { CopyFate } from './item-removal.ts';
import { ItemRemoval, UNDO_MS } from './item-removal.ts';
import type { ItemSource } from './item-source.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import type { SwarmFeed } from './swarm-feed.ts';
import { OpenedItems } from './opened-items.ts';
import { untilItemEnds } from './until-item-ends.ts';
import { WatchSettings } from './watch-settings.ts';

interface ItemServiceDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly feed: SwarmFeed;
  readonly source: ItemSource;
  readonly waiter: HaveWaiter;
  readonly files?: ManyFiles;
  /** Runs work that outlives the call that began it. */
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What mends by itself: the key comes, a member comes, the swarm process comes back. */
const PASSING: readonly ErrorCode[] = ['cannot-encrypt', 'disconnected', 'swarm-unavailable'];
const RETRY_MS = 30_000;
/** Items that go on together after a start; in between everybody else gets a turn. */
const TOGETHER = 100;
/** Something has to be done about these first; they are tried again when the person asks or at the next start. */
const AT_REST: readonly ItemState[] = ['failed', 'changed', 'missing', 'disk-full'];

/** Fetches items, serves them on, pauses them: what this device does with what was shared. */
export class ItemService implements Disposable {
  /** What becomes of copies that the person edited. */
  readonly edits: ItemEdits;
  readonly opened: OpenedItems;
  readonly #deps: ItemServiceDeps;
  readonly #book: ItemBook;
  readonly #progress: ItemProgress;
  readonly #removal: ItemRemoval;
  readonly #recheck: ItemRecheck;
  readonly #adoption: ItemAdoption;
  readonly #starting = new Map<ItemId, Promise<void>>();

  constructor(deps: ItemServiceDeps) {
    this.#deps = deps;
    this.#book = new ItemBook(deps);
    const parts = { ...deps, book: this.#book };
    this.#progress = new ItemProgress(parts);
    this.edits = new ItemEdits({ ...parts, settings: new WatchSettings(deps) });
    this.#removal = new ItemRemoval({ ...parts, edits: this.edits });
    this.#recheck = new ItemRecheck({ ...parts, activate: (id, signal) => this.activate(id, signal) });
    this.opened = new OpenedItems(parts);
    this.#adoption = new ItemAdoption({ ...parts, resume: (id, signal) => this.#resume(this.row(id), signal) });
  }

  get onItem(): Emitter<ItemId> {
    return this.#book.onItem;
  }

  row(itemId: ItemId): ItemRow {
    return this.#book.row(itemId);
  }

  /** What the swarm last said of it. */
  live(row: ItemRow): TorrentState | undefined {
    return this.#progress.live(row);
  }

  error(itemId: ItemId): ErrorView | null {
    return this.#book.error(itemId);
  }

  /** Devices of others that once had the whole item. */
  holders(itemId: ItemId): readonly DeviceKey[] {
    return this.#book.holders(itemId);
  }

  /** What devices of others said last that they have of a torrent, in bytes, since the start. */
  heard(infoHash: InfoHash): ReadonlyMap<DeviceKey, number> {
    return this.#progress.heard(infoHash);
  }

  /** Bytes that a check under way has read; null = none is. */
  checked(itemId: ItemId): number | null {
    return this.#book.checked(itemId);
  }

  /** Until when its removal or deletion can be undone; null = it is on the list, undefined = it is too late. */
  undoUntilMs(row: ItemRow): number | null | undefined {
    if (isOnList(row)) return null;
    return this.#removal.isGone(row) ? undefined : (row.deletedAtMs || row.removedAtMs) + UNDO_MS;
  }

  /** Whether there is something to fetch or serve, and all of it is paused. */
  get isAllPaused(): boolean {
    return !this.#deps.storage.items.hasWanted(false) && this.#deps.storage.items.hasWanted(true);
  }

  /** After a start: everything that is wanted goes on where it was; what is only served waits until others had their turn. */
  async resumeAll(letOthersGo: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    await this.#resumeRows(this.#deps.storage.items.listUnfinished(), signal);
    await letOthersGo(signal);
    for (const sphere of this.#deps.list.all()) await this.#deps.source.offerAll(sphere);
    await this.#resumeRows(this.#deps.storage.items.listWanted(), signal);
    this.opened.resume();
  }

  /** Keys came: what waited for them goes on, and a sphere that was left and joined again. */
  async resumeWaiting(signal: AbortSignal): Promise<void> {
    const rows = this.#deps.storage.items.listWanted();
    await this.#resumeRows(
      rows.filter((row) => !AT_REST.includes(row.state) || this.#book.isIncomplete(row)),
      signal,
    );
  }

  /** What is here of items that got a newer version goes on under that one. `ids`: of all of the sphere, unless some are given. */
  adoptVersions(sphere: Sphere, signal: AbortSignal, ids?: Iterable<ItemId>): Promise<void> {
    return this.#adoption.run(sphere, signal, ids);
  }

  /** Tells the swarm about an item that has its place on this disk. */
  async activate(itemId: ItemId, signal: AbortSignal): Promise<void> {
    const { list, source, feed, waiter } = this.#deps;
    const placed = this.row(itemId);
    if (placed.layout === null || !this.#book.isInForce(placed)) return;
    const sphere = list.get(placed.sphereId);
    try {
      const event = source.event(sphere, itemId);
      const metainfo = await source.metainfo(sphere, event, signal);
      // Looked at again: it may have been paused, given up or refused meanwhile.
      const row = this.row(itemId);
      if (row.layout === null || !row.wanted || !this.#book.isInForce(row)) return;
      waiter.set(row.infoHash, row.bitfield);
      await feed.add({
        sphereId: event.type === 'torrent' ? null : row.sphereId,
        alsoIn: formerSpheres(sphere, event),
        infoHash: row.infoHash,
        metainfo,
        mediaKey: source.mediaKey(sphere, event),
        ...chosenPlace(row.layout, row.chosen, source.parts(row.infoHash)),
        bitfield: row.bitfield,
        synced: rangesOf(row.layout, this.#book.disk.of(row).synced),
        doubted: rangesOf(row.layout, this.#book.disk.of(row).doubted),
        paused: row.paused,
        background: true,
        priority: row.priority,
        limits: row.limits,
        listedIn: row.sphereId,
      });
    } catch (error) {
      if (!signal.aborted) this.#book.fail(itemId, error);
    }
  }

  /**
   * Begins or continues a download, of all files or of some; returns at once. Fails with `strangers-see` for a torrent
   * from elsewhere that the person has not said yes to.
   */
  get(itemId: ItemId, files: readonly number[] | null = null, mayStrangersSee = false): void {
    const row = this.row(itemId);
    if (this.#book.event(row)?.type === 'torrent' && !row.wanted && !mayStrangersSee) {
      throw new AppError('strangers-see', 'strangers on the internet would see the address of this computer');
    }
    if (!isOnList(row)) throw new AppError('not-found', 'the item was taken off the list', { itemId });
    const known = this.#deps.list.find(row.sphereId)?.state.items.get(itemId);
    if (known !== undefined && known.replacedBy !== null) throw new AppError('not-found', 'it has a newer version');
    if (this.#book.isDone(row)) return;
    this.#requireOwnTorrent(row);
    const chosen = widen(row, files, this.#book.event(row)?.body.fileCount ?? 0);
    if (row.state === 'partial' && isSameChoice(row.chosen, chosen)) return;
    // Nobody would admit us: what is not here does not come any more.
    this.#deps.list.getJoined(row.sphereId);
    const isLost = row.layout !== null && !this.#book.isMine(row) && this.#isLost(row);
    // What lies there now may be the person's own work: the item gets a new place beside it.
    if (isLost) this.edits.disown(row);
    else if (!isSameChoice(row.chosen, chosen)) this.#book.disk.widen(row, this.#book.hasChosen(row));
    const isQueued = isLost || row.layout === null;
    this.#book.update(itemId, {
      wanted: true,
      paused: false,
      chosen,
      ...(isLost ? NOWHERE : {}),
      ...(isQueued ? { state: 'queued' as const } : {}),
    });
    if (isQueued) this.#start(itemId);
    else this.#deps.spawn('continue item', (signal) => this.#continue(row, signal));
  }

  /** Resolves when the item is verified on disk; rejects when it fails. */
  wait(itemId: ItemId, signal: AbortSignal): Promise<void> {
    const end = (): 'done' | ErrorView | null => {
      const row = this.row(itemId);
      if (this.#book.isDone(row) || row.state === 'partial') return 'done';
      return AT_REST.includes(row.state) ? this.error(itemId) : null;
    };
    return untilItemEnds(this.onItem, itemId, end, signal);
  }

  /** Resolves when it is decided where the item's files go. */
  async placed(itemId: ItemId, signal: AbortSignal): Promise<void> {
    const starting = this.#starting.get(itemId);
    if (starting !== undefined) await Promise.race([starting, untilAborted(signal)]);
    if (this.row(itemId).layout !== null) return;
    const error = this.error(itemId);
    throw new AppError(error?.code ?? 'not-found', error?.message ?? 'the item has no place on this disk yet');
  }

  async setPaused(itemId: ItemId, paused: boolean, signal: AbortSignal): Promise<void> {
    const { feed } = this.#deps;
    const row = this.row(itemId);
    if (!row.wanted || !isOnList(row)) return;
    if (paused && this.#recheck.cancel(itemId)) return;
    const isMoving = row.state === 'downloading' || row.state === 'queued';
    if (paused) {
      this.#book.update(itemId, { paused, ...(isMoving ? { state: 'paused' as const } : {}) });
      await feed.setPaused(row.infoHash, true);
      return;
    }
    const next: ItemState = row.layout === null ? 'queued' : 'downloading';
    this.#book.update(itemId, { paused, ...(row.state === 'paused' ? { state: next } : {}) });
    if (feed.has(row.infoHash)) await feed.setPaused(row.infoHash, false);
    else if (row.state === 'paused') await this.#resume(this.row(itemId), signal);
  }

  /** Whether it comes before other downloads, and how fast it may be sent and received. */
  async arrange(itemId: ItemId, change: Partial<Pick<ItemRow, 'priority' | 'limits'>>): Promise<void> {
    this.#book.update(itemId, change);
    if (this.row(itemId).wanted) await this.#deps.feed.arrange(this.row(itemId).infoHash, change);
  }

  async pauseAll(paused: boolean, signal: AbortSignal): Promise<void> {
    for (const { itemId } of this.#deps.storage.items.listWanted()) await this.setPaused(itemId, paused, signal);
  }

  /** Takes it off the list of this device; gives how many of its files stayed because the person had changed them. */
  async remove(itemId: ItemId, copy: CopyFate, signal: AbortSignal): Promise<number> {
    this.#recheck.cancel(itemId);
    return this.#removal.remove(itemId, copy, signal);
  }

  /** Undoes a removal: what was on this disk is served again, what was wanted goes on. */
  async restore(itemId: ItemId, signal: AbortSignal): Promise<void> {
    const row = this.row(itemId);
    if (row.wanted) this.#requireOwnTorrent(row);
    await this.#removal.restore(itemId, signal);
    await this.#resume(this.row(itemId), signal);
  }

  /** It was deleted for everybody, or put back: it is let go of, or goes on where it was. */
  async settleDeletion(itemId: ItemId, signal: AbortSignal): Promise<void> {
    const row = this.row(itemId);
    if (row.deletedAtMs === 0) return this.#resume(row, signal);
    this.#recheck.cancel(itemId);
    await this.#release(row);
  }

  /** Reads the whole item again; gives how many pieces were damaged. */
  recheck(itemId: ItemId, signal: AbortSignal): Promise<number> {
    return this.#recheck.run(itemId, signal);
  }

  /** It is refused after all: nothing more is fetched or served of it. Files that are here stay. */
  async withdraw(itemId: ItemId): Promise<void> {
    const row = this.row(itemId);
    this.#giveUp(row);
    await this.#release(row);
  }

  /** The sphere was left or we were removed: nothing of it is served or fetched any more. */
  async stopSphere(sphere: Sphere): Promise<void> {
    const rows = this.#deps.storage.items.list(sphere.id);
    for (const row of rows) this.#giveUp(row);
    // All at once, in front of whatever the swarm is told when the sphere is joined again.
    await Promise.all([...rows.map((row) => this.#release(row)), this.#deps.feed.removeSphere(sphere.id)]);
  }

  [Symbol.dispose](): void {
    this.#progress[Symbol.dispose]();
    this.opened[Symbol.dispose]();
  }

  /** A second item over one torrent, which no honest sharer makes, would take the swarm's hold off the first. */
  #requireOwnTorrent({ itemId, infoHash }: ItemRow): void {
    const others = this.#deps.storage.items.byInfoHash(infoHash).filter((other) => other.itemId !== itemId);
    if (others.every((other) => !other.wanted || !isOnList(other))) return;
    throw new AppError('conflict', 'these bytes are here already, as another item', { itemId });
  }

  #giveUp(row: ItemRow): void {
    if (!row.wanted || this.#book.isDone(row)) return;
    this.#book.update(row.itemId, { wanted: false, state: row.layout === null ? 'listed' : 'paused' });
  }

  /** Lets go of the torrent of an item that was wanted; any other item may name a torrent that is not its own. */
  async #release({ wanted, infoHash }: ItemRow): Promise<void> {
    if (wanted) await this.#deps.feed.remove(infoHash);
  }

  /** Whether what is on this disk is not, or no longer, what was shared. */
  #isLost({ state, itemId }: ItemRow): boolean {
    return state === 'changed' || state === 'missing' || (state === 'failed' && this.error(itemId)?.code === 'forged');
  }

  /** Many together, so that they go to the swarm in one message and none waits for what another has to be asked for. */
  async #resumeRows(rows: readonly ItemRow[], signal: AbortSignal): Promise<void> {
    await inBatches(rows, TOGETHER, (row) => this.#resume(row, signal));
  }

  async #resume(row: ItemRow, signal: AbortSignal): Promise<void> {
    if (!this.#book.isInForce(row) || !row.wanted || this.#deps.feed.has(row.infoHash)) return;
    if (row.layout !== null) await this.activate(row.itemId, signal);
    else if (!row.paused) this.#start(row.itemId);
  }

  #start(itemId: ItemId): void {
    if (this.#starting.has(itemId)) return;
    const started = Promise.withResolvers<void>();
    this.#starting.set(itemId, started.promise);
    this.#deps.spawn('start item', async (signal) => {
      try {
        // A place given up, or a list of files half fetched, leaves nothing behind.
        await this.#deps.feed.remove(this.row(itemId).infoHash);
        await this.#place(itemId, signal);
        await this.activate(itemId, signal);
      } catch (error) {
        if (!signal.aborted) this.#startFailed(itemId, error);
      } finally {
        this.#starting.delete(itemId);
        started.resolve();
      }
    });
  }

  #startFailed(itemId: ItemId, error: unknown): void {
    if (PASSING.includes(errorCode(error))) this.#book.wait(itemId, error);
    else this.#book.fail(itemId, error);
    // Somebody will make room.
    if (!PASSING.includes(errorCode(error)) && errorCode(error) !== 'disk-full') return;
    this.#deps.spawn('try item again', async (signal) => {
      await this.#deps.clock.sleep(RETRY_MS, signal);
      const row = this.row(itemId);
      if (['queued', 'disk-full'].includes(row.state) && row.layout === null) await this.#resume(row, signal);
    });
  }

  async #continue(row: ItemRow, signal: AbortSignal): Promise<void> {
    const { feed, source } = this.#deps;
    const isSame = isSameChoice(row.chosen, this.row(row.itemId).chosen);
    if (isSame && !AT_REST.includes(row.state) && feed.has(row.infoHash)) {
      if (row.state === 'paused') this.#book.update(row.itemId, { state: 'downloading' });
      await feed.setPaused(row.infoHash, false);
      return;
    }
    this.#book.update(row.itemId, { state: 'queued' });
    await feed.remove(row.infoHash);
    // What is wanted now has its place elsewhere; the pieces at its edge come again.
    if (!isSame) await rm(source.parts(row.infoHash).path, { recursive: true, force: true });
    await this.activate(row.itemId, signal);
  }

  /** Decides where the files go, once everything needed for fetching them is here. */
  async #place(itemId: ItemId, signal: AbortSignal): Promise<void> {
    const { list, source } = this.#deps;
    const sphere = list.getJoined(this.row(itemId).sphereId);
    const event = source.event(sphere, itemId);
    // Fails before anything is on the disk when the key has not come.
    source.mediaKey(sphere, event);
    await requireSpace(sphere.row.folder, event.body.bytes);
    const place = await findPlace(source, sphere, event, signal);
    const row = this.row(itemId);
    if (!row.wanted || !isOnList(row)) return;
    this.#book.update(itemId, { ...place, bitfield: null, state: row.paused ? 'paused' : 'downloading' });
  }
}
