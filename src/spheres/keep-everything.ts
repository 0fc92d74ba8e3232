import type { Clock } from '../base/clock.ts';
import type { ItemId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { ItemRow } from '../storage/item-table.ts';
import { isOnList } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import { BegunItems } from './begun-items.ts';
import type { ItemService } from './item-service.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface KeepEverythingDeps {
  readonly storage: Pick<Storage, 'items'>;
  readonly list: SphereList;
  readonly items: Pick<ItemService, 'get' | 'error' | 'live' | 'onItem'>;
  /** Bytes that can still be written where a folder lies. */
  readonly freeSpace: (folder: string) => Promise<number>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The disk is looked at again: somebody may have made room. */
const AGAIN_MS = 600_000;
/** While something is moving it is looked at, because it may stop without a word. */
const LOOK_MS = 60_000;
/** Small items end in quick succession. */
const GATHER_MS = 500;
/** Left free on a computer that fetches without being asked. */
const KEEP_FREE_BYTES = 1024 ** 3;
/** Of one sharer: more would take all their connections, and share their line so thinly that even the first ends late. */
const MOST_AT_ONCE = 20;

/** One look at all items. */
interface Look {
  readonly rows: ReadonlyMap<ItemId, ItemRow>;
  /** Bytes that downloads under way will still take. */
  promised: number;
  /** How many of each sharer have been begun and are not over. */
  readonly moving: Map<string, number>;
}

/**
 * Fetches every item of every sphere that is shared, some at a time, so that this device can give it to those who come
 * later.
 */
export class KeepEverything implements Disposable {
  readonly #deps: KeepEverythingDeps;
  readonly #begun: BegunItems;
  readonly #stops: readonly (() => void)[];
  /** Items of which it was logged why they are not fetched. */
  readonly #explained = new Set<ItemId>();
  #wake = Promise.withResolvers<void>();
  #hasStopped = false;

  constructor(deps: KeepEverythingDeps) {
    this.#deps = deps;
    this.#begun = new BegunItems({ ...deps, sharerOf: (row) => this.#sharerOf(row) });
    this.#stops = [
      deps.list.onChange.on(() => this.#wake.resolve()),
      deps.items.onItem.on((itemId) => this.#itemChanged(itemId)),
    ];
  }

  /** Goes on until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    this.#begun.adopt(this.#deps.storage.items.listWanted());
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers<void>();
      this.#hasStopped = false;
      await this.#beginSome();
      await this.#untilNews(signal);
    }
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
  }

  #itemChanged(itemId: ItemId): void {
    const row = this.#begun.has(itemId) ? this.#deps.storage.items.get(itemId) : undefined;
    if (row === undefined || !this.#begun.hasStopped(row)) return;
    this.#hasStopped = true;
    this.#wake.resolve();
  }

  async #untilNews(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const over = new AbortController();
    const ms = this.#begun.moving.size > 0 ? LOOK_MS : AGAIN_MS;
    const again = clock.sleep(ms, AbortSignal.any([signal, over.signal]));
    await Promise.race([this.#wake.promise, again]).finally(() => over.abort());
    // What was cut short by news is no failure.
    await again.catch(() => undefined);
    if (this.#hasStopped) await clock.sleep(GATHER_MS, signal);
  }

  async #beginSome(): Promise<void> {
    const all = this.#deps.storage.items.listAll();
    const rows = new Map(all.map((row) => [row.itemId, row]));
    this.#begun.look(rows);
    const look: Look = { rows, promised: this.#promised(all), moving: this.#begun.moving };
    for (const sphere of this.#deps.list.all()) {
      const missing = this.#missing(sphere, look.rows);
      if (missing.length > 0) await this.#beginIn(sphere, missing, look);
    }
  }

  #missing(sphere: Sphere, rows: Look['rows']): ItemRow[] {
    if (sphere.row.state !== 'joined') return [];
    return Array.from(sphere.state.items).flatMap(([itemId, { replacedBy, event }]) => {
      // Strangers would see this computer: that is for a person to say.
      if (event.type === 'torrent' || replacedBy !== null) return [];
      const row = rows.get(itemId);
      // What a person has paused or removed, or what is broken, waits for a person.
      if (row === undefined || !isOnList(row) || row.paused) return [];
      const isMissing = !row.wanted || row.chosen !== null || row.state === 'disk-full';
      return isMissing && this.#begun.mayBegin(itemId) ? [row] : [];
    });
  }

  async #beginIn(sphere: Sphere, missing: readonly ItemRow[], look: Look): Promise<void> {
    const { freeSpace, log } = this.#deps;
    let free: number;
    try {
      free = await freeSpace(sphere.row.folder);
    } catch (error) {
      // A folder whose disk is not there keeps nothing from the other spheres.
      log.warn('items are not fetched', { sphereId: sphere.id, error });
      return;
    }
    for (const row of missing) {
      const sharer = this.#sharerOf(row);
      const moving = look.moving.get(sharer) ?? 0;
      if (moving >= MOST_AT_ONCE) continue;
      const bytes = sphere.state.items.get(row.itemId)?.event.body.bytes ?? 0;
      const fits = bytes + KEEP_FREE_BYTES <= free - look.promised;
      if (!fits) this.#explain(row.itemId, 'an item does not fit on the disk', { bytes, free });
      else if (this.#begin(row)) {
        look.promised += bytes;
        look.moving.set(sharer, moving + 1);
      }
    }
  }

  #sharerOf({ sphereId, itemId }: ItemRow): string {
    return this.#deps.list.find(sphereId)?.state.items.get(itemId)?.event.header.device ?? '';
  }

  #begin(row: ItemRow): boolean {
    const { itemId } = row;
    try {
      this.#deps.items.get(itemId);
    } catch (error) {
      this.#explain(itemId, 'an item is not fetched', { error });
      return false;
    }
    this.#explained.delete(itemId);
    this.#begun.add(row);
    return true;
  }

  /** Once: it is looked at again and again. */
  #explain(itemId: ItemId, reason: string, details: Record<string, unknown>): void {
    if (!this.#explained.has(itemId)) this.#deps.log.warn(reason, { itemId, ...details });
    this.#explained.add(itemId);
  }

  #promised(rows: readonly ItemRow[]): number {
    const { list } = this.#deps;
    const missing = ({ sphereId, itemId, bytesHave }: ItemRow): number =>
      Math.max(0, (list.find(sphereId)?.state.items.get(itemId)?.event.body.bytes ?? 0) - bytesHave);
    const moving = rows.filter((row) => row.wanted && isOnList(row) && MOVING.includes(row.state));
    return moving.reduce((sum, row) => sum + missing(row), 0);
  }
}

const MOVING: readonly ItemRow['state'][] = ['queued', 'downloading', 'paused', 'verifying'];
