import * as z from 'zod';
import { AppError } from '../base/errors.ts';
import type { ItemId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { itemIdSchema } from '../contract/ids.ts';
import type { ItemState } from '../contract/views.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import { openedTorrentFile } from '../torrent/opened-torrent-file.ts';
import type { ItemBook } from './item-book.ts';
import type { ItemSource } from './item-source.ts';
import type { ItemEvent } from './protocol/event.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import type { SwarmFeed } from './swarm-feed.ts';

interface OpenedItemsDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly book: Pick<ItemBook, 'onItem' | 'isInForce'>;
  readonly source: Pick<ItemSource, 'metainfo'>;
  readonly feed: Pick<SwarmFeed, 'setOpened' | 'ask'>;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly log: Logger;
}

/** What is saved for other programs, and where they find this computer, as `host:port`. */
export interface OpenedItem {
  readonly torrent: Uint8Array;
  readonly endpoints: readonly string[];
}

const SETTING = 'opened-items';
const MOST_OPENED = 1000;
/** Nothing that is so can be given to anybody. */
const LOST: readonly ItemState[] = ['listed', 'changed', 'missing', 'failed'];

const schema = z.object({ items: z.array(itemIdSchema), port: z.number().int() });
type Kept = z.infer<typeof schema>;

/**
 * Plain items that the person opened to other programs on this device: whoever has the .torrent file may fetch them, in
 * whatever program. No member hears of it. What is encrypted cannot be opened.
 */
export class OpenedItems implements Disposable {
  readonly #deps: OpenedItemsDeps;
  readonly #stops: readonly (() => void)[];
  #kept: Kept;

  constructor(deps: OpenedItemsDeps) {
    this.#deps = deps;
    this.#kept = deps.storage.settings.get(SETTING, (value) => schema.parse(value)) ?? { items: [], port: 0 };
    this.#stops = [
      deps.book.onItem.on((itemId) => this.#look([itemId])),
      deps.list.onChange.on(({ sphere }) => this.#look(this.#ofSphere(sphere))),
    ];
  }

  has(itemId: ItemId): boolean {
    return this.#kept.items.includes(itemId);
  }

  /** After a start: what was open is open again, unless something became of it meanwhile. */
  resume(): void {
    if (this.#kept.items.length === 0) return;
    this.#look(this.#kept.items);
    this.#tell();
  }

  /**
   * Opens it, or gives what belongs to it again. Fails with `not-plain` for what is encrypted, with `not-complete` for
   * what is not on this disk, and with `swarm-unavailable` where no port can be had.
   */
  async open(sphere: Sphere, event: ItemEvent, signal: AbortSignal): Promise<OpenedItem> {
    const { source, feed, book } = this.#deps;
    const itemId = event.id as string as ItemId;
    if (event.type !== 'item' || !event.body.plain) throw new AppError('not-plain', 'only a plain item can be opened');
    if (!this.#mayStay(itemId)) throw new AppError('not-complete', 'nothing of it is served here', { itemId });
    const metainfo = await source.metainfo(sphere, event, signal);
    const wasOpen = this.has(itemId);
    if (!wasOpen && this.#kept.items.length === MOST_OPENED) throw new AppError('too-large', 'too many');
    await this.#change([...this.#kept.items.filter((other) => other !== itemId), itemId]);
    try {
      const { port, endpoints } = await feed.ask((calls) => calls.openedAt(undefined, { signal }), signal);
      if (endpoints.length === 0) throw new AppError('swarm-unavailable', 'no port for other programs');
      // The .torrent file names it: it has to be the same after the next start.
      this.#keep({ ...this.#kept, port });
      await this.#announce();
      book.onItem.emit(itemId);
      return { torrent: openedTorrentFile(metainfo, endpoints), endpoints };
    } catch (error) {
      if (!wasOpen) await this.close(itemId);
      throw error;
    }
  }

  async close(itemId: ItemId): Promise<void> {
    if (!this.has(itemId)) return;
    await this.#change(this.#kept.items.filter((other) => other !== itemId));
    this.#deps.book.onItem.emit(itemId);
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
  }

  #keep(kept: Kept): void {
    this.#kept = kept;
    this.#deps.storage.settings.set(SETTING, kept);
  }

  async #change(items: ItemId[]): Promise<void> {
    this.#keep({ ...this.#kept, items });
    await this.#announce();
  }

  #tell(): void {
    this.#deps.spawn('tell what is open', () => this.#announce());
  }

  async #announce(): Promise<void> {
    const { items, port } = this.#kept;
    const infoHashes = items.flatMap((itemId) => this.#row(itemId)?.infoHash ?? []);
    await this.#deps.feed.setOpened({ infoHashes, port });
  }

  /** Something may have become of these. */
  #look(itemIds: readonly ItemId[]): void {
    const ended = itemIds.filter((itemId) => this.has(itemId) && !this.#isOnTheMove(itemId) && !this.#mayStay(itemId));
    if (ended.length === 0) return;
    this.#deps.log.info('items are not open any more', { count: ended.length });
    this.#keep({ ...this.#kept, items: this.#kept.items.filter((itemId) => !ended.includes(itemId)) });
    this.#tell();
    for (const itemId of ended) this.#deps.book.onItem.emit(itemId);
  }

  #ofSphere(sphere: Sphere): ItemId[] {
    return this.#kept.items.filter((itemId) => this.#row(itemId)?.sphereId === sphere.id);
  }

  /** While the folder of its sphere goes to another place it is not served, and nothing has become of it. */
  #isOnTheMove(itemId: ItemId): boolean {
    const row = this.#row(itemId);
    return row !== undefined && this.#deps.list.moving.has(row.sphereId);
  }

  #row(itemId: ItemId): ItemRow | undefined {
    return this.#deps.storage.items.get(itemId);
  }

  /** Whether it is still on the list, is what was shared, and we are a member where it counts. */
  #mayStay(itemId: ItemId): boolean {
    const row = this.#row(itemId);
    if (row === undefined || !row.wanted || row.layout === null || LOST.includes(row.state)) return false;
    const event = this.#deps.list.find(row.sphereId)?.state.items.get(itemId)?.event;
    return this.#deps.book.isInForce(row) && event?.type === 'item' && event.body.plain;
  }
}
