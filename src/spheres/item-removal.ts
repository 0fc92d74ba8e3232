import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { ItemId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { ItemRow } from '../storage/item-table.ts';
import { removeCopy, removeLinks } from '../torrent/remove-copy.ts';
import type { ItemBook } from './item-book.ts';
import { isReadInPlace } from './item-book.ts';
import type { ItemEdits } from './item-edits.ts';
import { ShareLink } from './share-link.ts';
import type { ItemSource } from './item-source.ts';
import type { SphereList } from './sphere-list.ts';
import type { SwarmFeed } from './swarm-feed.ts';

/** How long an item that was taken off the list can be put back. */
export const UNDO_MS = 30 * 24 * 3_600_000;

/**
 * What becomes of the copy on this disk. A person's own original is never deleted. `forget` = it is deleted, of an item
 * that was deleted for everybody: if that is put back, it stands on the list again.
 */
export type CopyFate = 'keep' | 'delete' | 'forget';

interface ItemRemovalDeps {
  readonly source: Pick<ItemSource, 'parts'>;
  readonly book: ItemBook;
  readonly edits: Pick<ItemEdits, 'disown'>;
  readonly list: SphereList;
  readonly feed: SwarmFeed;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Takes items off the list of this device, and puts them back. Other members notice only that we give it no more. */
export class ItemRemoval {
  readonly #deps: ItemRemovalDeps;

  constructor(deps: ItemRemovalDeps) {
    this.#deps = deps;
  }

  /** Gives how many files of a copy that was to be deleted stayed, because the person had changed them. */
  async remove(itemId: ItemId, copy: CopyFate, signal: AbortSignal): Promise<number> {
    const { book, feed, clock, list } = this.#deps;
    const row = book.row(itemId);
    // Written down first: after a crash nothing of it is fetched or served.
    if (row.removedAtMs === 0 && copy !== 'forget') book.update(itemId, { removedAtMs: clock.now() });
    if (row.wanted) await feed.remove(row.infoHash);
    if (row.layout === null || row.path === null) return 0;
    if (isReadInPlace(row)) {
      await removeLinks({ folder: list.get(row.sphereId).row.folder, target: row.path });
      return 0;
    }
    if (copy === 'keep') return 0;
    const stayed = await removeCopy({ path: row.path, segments: row.layout }, signal);
    await rm(this.#deps.source.parts(row.infoHash).path, { recursive: true, force: true });
    if (stayed > 0) this.#deps.edits.disown(row);
    book.clear(itemId);
    return stayed;
  }

  /** Fails with `not-found` when it is too late. */
  async restore(itemId: ItemId, signal: AbortSignal): Promise<void> {
    const { book, log } = this.#deps;
    const row = book.row(itemId);
    if (row.removedAtMs === 0) return;
    if (this.isGone(row)) throw new AppError('not-found', 'the item was removed too long ago', { itemId });
    if (row.layout !== null && row.path !== null && isReadInPlace(row)) {
      const kind = book.event(row)?.body.media.kind === 'folder' ? 'folder' : 'file';
      const { folder } = this.#deps.list.get(row.sphereId).row;
      const place = { folder, name: basename(row.path), target: row.path, kind } as const;
      const link = await ShareLink.place(place, { log }, signal);
      link.keep();
    }
    book.update(itemId, { removedAtMs: 0 });
  }

  /** Removed or deleted, and for so long that it cannot be put back. */
  isGone({ removedAtMs, deletedAtMs }: ItemRow): boolean {
    const since = deletedAtMs || removedAtMs;
    return since !== 0 && since + UNDO_MS <= this.#deps.clock.now();
  }
}
