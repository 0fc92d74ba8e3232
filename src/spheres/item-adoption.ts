import { rm } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { ItemId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Segment } from '../contract/swarm.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { FileSegment } from '../torrent/byte-space.ts';
import { removeCopy } from '../torrent/remove-copy.ts';
import { formerSpheres } from './carry-over.ts';
import type { ItemBook } from './item-book.ts';
import { NOWHERE } from './item-book.ts';
import type { ItemSource } from './item-source.ts';
import { originOf } from './origin.ts';
import { hasRange } from './piece-map.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import type { SwarmFeed } from './swarm-feed.ts';
import { hasSameBytes, versionsOf } from './versions.ts';

interface ItemAdoptionDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly book: ItemBook;
  readonly feed: SwarmFeed;
  readonly source: ItemSource;
  /** Goes on with an item that is wanted. */
  readonly resume: (itemId: ItemId, signal: AbortSignal) => Promise<void>;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What is here of one item goes on as another. */
interface Move {
  readonly from: Sphere;
  readonly oldId: ItemId;
  readonly to: Sphere;
  readonly newId: ItemId;
}

const RETRY_MS = 60_000;
/** In which all of it, or all that was chosen of it, lies on this disk, or lay there. */
const KEPT: readonly ItemRow['state'][] = ['complete', 'sharing', 'partial', 'changed', 'missing', 'listed'];
const UNWANTED = { wanted: false, paused: false };

/**
 * Moves what this disk has of an item to the version of the same bytes that took its place, or to the sphere that goes on
 * with it: nothing is fetched twice.
 */
export class ItemAdoption {
  readonly #deps: ItemAdoptionDeps;

  constructor(deps: ItemAdoptionDeps) {
    this.#deps = deps;
  }

  /**
   * Whatever cannot be moved now is tried again when keys come, or with time. `ids`: the items of the sphere that may be
   * concerned; of many thousands the others need not be looked at with each that comes.
   */
  async run(sphere: Sphere, signal: AbortSignal, ids: Iterable<ItemId> = sphere.state.items.keys()): Promise<void> {
    const { storage, log, spawn, clock } = this.#deps;
    const concerned = [...ids];
    let isUnreached = false;
    for (const move of this.#moves(sphere, concerned)) {
      const old = storage.items.get(move.oldId);
      if (old === undefined || isBare(old) || storage.items.get(move.newId) === undefined) continue;
      try {
        await this.#move(move, signal);
      } catch (error) {
        signal.throwIfAborted();
        log.info('a new version is not taken over yet', { error });
        if (errorCode(error) === 'disconnected') isUnreached = true;
      }
    }
    await this.#serveLeftBehind(sphere, concerned, signal);
    if (!isUnreached) return;
    spawn('take over again', async (stop) => {
      await clock.sleep(RETRY_MS, stop);
      await this.run(sphere, stop, concerned);
    });
  }

  *#moves(sphere: Sphere, ids: readonly ItemId[]): Generator<Move> {
    const { items } = sphere.state;
    for (const id of ids) {
      const item = items.get(id);
      if (item === undefined) continue;
      const { replacedBy, event } = item;
      const newId = versionsOf(items, id).at(-1);
      if (replacedBy !== null && newId !== undefined) yield { from: sphere, oldId: id, to: sphere, newId };
      // In a sphere that we have left nothing is served.
      const isOurs = replacedBy === null && sphere.row.state === 'joined';
      const origin = isOurs ? originOf(sphere, event) : undefined;
      if (origin !== undefined) yield { from: origin.sphere, oldId: origin.itemId, to: sphere, newId: id };
    }
  }

  /**
   * What was served here before the old sphere said that it goes on here, or before its item came, is served there too.
   * What is still fetched is left in peace: it asks those left behind when it is begun the next time.
   */
  async #serveLeftBehind(sphere: Sphere, ids: readonly ItemId[], signal: AbortSignal): Promise<void> {
    const { storage, feed, resume } = this.#deps;
    if (sphere.log.continuation.continues === null) return;
    for (const id of ids) {
      const event = sphere.state.items.get(id)?.event;
      if (event === undefined) continue;
      const { infoHash } = event.body;
      const alsoIn = feed.alsoIn(infoHash);
      if (alsoIn === undefined) continue;
      const row = storage.items.get(id);
      if (row?.wanted !== true || row.state !== 'complete') continue;
      if (`${alsoIn}` === `${formerSpheres(sphere, event)}`) continue;
      await feed.remove(infoHash);
      await resume(id, signal);
    }
  }

  /**
   * The new version has other bytes. A copy of the old one is the person's to keep, and so is each whole file of one that
   * was still coming: they stay, known and not served. Half a file is of no use to anybody, and whoever wanted all of it
   * wants the new one.
   */
  async #setAside(old: ItemRow, next: ItemRow, signal: AbortSignal): Promise<void> {
    const { storage, book, feed, source, resume } = this.#deps;
    const { itemId, path, wanted, paused, chosen, priority, limits, removedAtMs } = old;
    const isKept = isWholeCopy(book, old);
    if (isKept && !wanted && removedAtMs === 0) return;
    if (wanted) await feed.remove(old.infoHash);
    const halves = isKept ? [] : halfFiles(book, old);
    // While it is still known whose it is: what is nobody's would be shared as new.
    if (path !== null && halves.length > 0) await removeCopy({ path, segments: halves }, signal);
    if (!isKept) await rm(source.parts(old.infoHash).path, { recursive: true, force: true });
    const isWanted = wanted && !isKept && chosen === null;
    const wish = isWanted ? { wanted, paused, state: paused ? ('paused' as const) : ('queued' as const) } : {};
    storage.transaction(() => {
      if (isBare(next)) book.update(next.itemId, { priority, limits, removedAtMs, ...wish });
      const place = isKept || halves.length < filesOf(old).length ? UNWANTED : { ...NOWHERE, ...UNWANTED };
      book.update(itemId, { ...place, state: 'listed', removedAtMs: 0 });
    });
    await resume(next.itemId, signal);
  }

  async #move({ from, oldId, to: sphere, newId }: Move, signal: AbortSignal): Promise<void> {
    const { storage, book, feed, source, resume } = this.#deps;
    const [before, event] = [source.event(from, oldId), source.event(sphere, newId)];
    const isSame = hasSameBytes(before, event);
    if (isSame && book.row(oldId).layout !== null && isBare(book.row(newId))) {
      // Until it can be served under the new key it goes on under the old one.
      source.mediaKey(sphere, event);
      await source.metainfo(sphere, event, signal);
    }
    // Looked at now: a person may have done something about either meanwhile.
    const [old, next] = [book.row(oldId), book.row(newId)];
    const isTaken = isSame && isBare(next) && (from === sphere || next.deletedAtMs === 0);
    // What another sphere does not take over goes on where it is, for those who are there.
    if (from !== sphere && !isTaken) return;
    // Whoever shares the new version has it where the old one lay.
    const isBeside = old.path === null || old.path !== next.path;
    if (!isSame && isBeside) return this.#setAside(old, next, signal);
    storage.transaction(() => {
      if (isTaken) book.update(newId, placeOf(old));
      book.update(oldId, { ...NOWHERE, ...UNWANTED, state: 'listed', removedAtMs: 0 });
    });
    if (old.wanted) await feed.remove(old.infoHash);
    await resume(newId, signal);
  }
}

/** Files of which something is missing. */
function halfFiles(book: ItemBook, row: ItemRow): Segment[] {
  const map = { bitfield: row.bitfield, pieceLength: book.event(row)?.body.pieceLength ?? 1 };
  const isThere = ({ offset, length }: FileSegment): boolean =>
    row.state !== 'failed' && length > 0 && hasRange(map, offset, offset + length);
  return filesOf(row).filter((file) => !isThere(file));
}

const filesOf = ({ layout }: ItemRow): FileSegment[] => (layout ?? []).filter((part) => part.kind === 'file');

function isWholeCopy(book: ItemBook, row: ItemRow): boolean {
  if (row.layout === null) return false;
  return KEPT.includes(row.state) || (row.state !== 'failed' && book.isWhole(row));
}

/** What is verified of it stays so: each piece is read again under the new key before it is first served. */
function placeOf(old: ItemRow): Partial<ItemRow> {
  const { layout, path, bitfield, bytesHave, wanted, paused, chosen, priority, limits, state, removedAtMs } = old;
  return { layout, path, bitfield, bytesHave, wanted, paused, chosen, priority, limits, state, removedAtMs };
}

/** Nothing of it is here or wanted. */
function isBare({ layout, wanted, removedAtMs }: ItemRow): boolean {
  return layout === null && !wanted && removedAtMs === 0;
}
