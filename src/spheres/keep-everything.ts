import type { Clock } from '../base/clock.ts';
import type { ItemId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { ItemRow } from '../storage/item-table.ts';
import { isOnList } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { ItemService } from './item-service.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface KeepEverythingDeps {
  readonly storage: Pick<Storage, 'items'>;
  readonly list: SphereList;
  readonly items: Pick<ItemService, 'get'>;
  /** Bytes that can still be written where a folder lies. */
  readonly freeSpace: (folder: string) => Promise<number>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The disk is looked at again: somebody may have made room. */
const AGAIN_MS = 600_000;
/** Left free on a computer that fetches without being asked. */
const KEEP_FREE_BYTES = 1024 ** 3;

/** Fetches every item of every sphere as soon as it is shared, so that this device can give it to those who come later. */
export class KeepEverything implements Disposable {
  readonly #deps: KeepEverythingDeps;
  readonly #stop: () => void;
  #wake = Promise.withResolvers<void>();

  constructor(deps: KeepEverythingDeps) {
    this.#deps = deps;
    this.#stop = deps.list.onChange.on(() => this.#wake.resolve());
  }

  /** Goes on until aborted. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers<void>();
      for (const sphere of this.#deps.list.all()) await this.#fetchAll(sphere);
      await this.#untilNews(signal);
    }
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  async #untilNews(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const again = this.#deps.clock.sleep(AGAIN_MS, AbortSignal.any([signal, over.signal]));
    await Promise.race([this.#wake.promise, again]).finally(() => over.abort());
    // What was cut short by news is no failure.
    await again.catch(() => undefined);
  }

  async #fetchAll(sphere: Sphere): Promise<void> {
    if (sphere.row.state !== 'joined') return;
    for (const [itemId, { replacedBy, event }] of sphere.state.items) {
      // Strangers would see this computer: that is for a person to say.
      if (event.type === 'torrent') continue;
      const row = this.#deps.storage.items.get(itemId);
      // What a person has paused or removed, or what is broken, waits for a person.
      const isListed = row !== undefined && isOnList(row);
      const isMissing = isListed && !row.paused && (!row.wanted || row.chosen !== null || row.state === 'disk-full');
      if (isMissing && replacedBy === null) await this.#fetch(sphere, itemId);
    }
  }

  async #fetch(sphere: Sphere, itemId: ItemId): Promise<void> {
    const { items, freeSpace, log } = this.#deps;
    const bytes = sphere.state.items.get(itemId)?.event.body.bytes ?? 0;
    try {
      const free = (await freeSpace(sphere.row.folder)) - this.#promised();
      if (bytes + KEEP_FREE_BYTES > free) log.warn('an item does not fit on the disk', { itemId, bytes, free });
      else items.get(itemId);
    } catch (error) {
      // A folder whose disk is not there, for example, keeps nothing from the other spheres.
      log.warn('an item is not fetched', { itemId, error });
    }
  }

  /** Bytes that downloads under way will still take. */
  #promised(): number {
    const { storage, list } = this.#deps;
    const missing = ({ sphereId, itemId, bytesHave }: ItemRow): number =>
      Math.max(0, (list.find(sphereId)?.state.items.get(itemId)?.event.body.bytes ?? 0) - bytesHave);
    const moving = storage.items.listAll().filter((row) => row.wanted && isOnList(row) && MOVING.includes(row.state));
    return moving.reduce((sum, row) => sum + missing(row), 0);
  }
}

const MOVING: readonly ItemRow['state'][] = ['queued', 'downloading', 'paused', 'verifying'];
