import * as z from 'zod';
import type { ItemId } from '../base/id.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';

/** Of an item of which not everything was asked for at once, files by their numbers. */
export interface DiskPromise {
  /** The disk took them. */
  readonly synced: readonly number[];
  /** All of them was written, and it may have refused them: it says so once, to a process that may be gone. */
  readonly doubted: readonly number[];
}

const files = z.array(z.number().int());
const schema = z.object({ synced: files, doubted: files });
const NOTHING: DiskPromise = { synced: [], doubted: [] };

/** What is known of the disk under files that were chosen one after the other, also by the next run. */
export class DiskPromises {
  readonly #storage: Storage;

  constructor(deps: { readonly storage: Storage }) {
    this.#storage = deps.storage;
  }

  of({ itemId, state, chosen }: Pick<ItemRow, 'itemId' | 'state' | 'chosen'>): DiskPromise {
    if (state === 'partial') return { synced: chosen ?? [], doubted: [] };
    return this.#storage.settings.get(keyOf(itemId), (value) => schema.parse(value)) ?? NOTHING;
  }

  /** More than was chosen is wanted; `areHere`: all that was chosen was written. */
  widen(row: ItemRow, areHere: boolean): void {
    if (row.state === 'partial') this.#storage.settings.set(keyOf(row.itemId), this.of(row));
    else if (areHere) this.doubt(row);
  }

  /** What was chosen was written and is not known to be on the disk. */
  doubt(row: ItemRow): void {
    const { synced, doubted } = this.of(row);
    const all = new Set([...doubted, ...(row.chosen ?? [])]);
    this.#storage.settings.set(keyOf(row.itemId), {
      synced: synced.filter((file) => !all.has(file)),
      doubted: Array.from(all).toSorted((a, b) => a - b),
    });
  }

  /** It is whole, begins anew, or lost something. */
  forget(itemId: ItemId): void {
    this.#storage.settings.remove(keyOf(itemId));
  }
}

const keyOf = (itemId: ItemId): string => `disk-promise ${itemId}`;
