import { AppError } from '../base/errors.ts';
import type { ItemId } from '../base/id.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { ItemBook } from './item-book.ts';
import { isReadInPlace } from './item-book.ts';
import type { SphereList } from './sphere-list.ts';
import type { SwarmFeed } from './swarm-feed.ts';
import type { WatchSettings } from './watch-settings.ts';

interface ItemEditsDeps {
  readonly book: ItemBook;
  readonly list: SphereList;
  readonly feed: SwarmFeed;
  readonly settings: WatchSettings;
}

/** What becomes of a received copy that the person edited: their own work, which leaves this computer at their word only. */
export class ItemEdits {
  readonly #deps: ItemEditsDeps;

  constructor(deps: ItemEditsDeps) {
    this.#deps = deps;
  }

  /** The item stands on the list as one that is not here; the edited file stays where it is and is not shared. */
  async keep(itemId: ItemId): Promise<void> {
    const row = this.#deps.book.row(itemId);
    if (row.state !== 'changed' || isReadInPlace(row)) throw new AppError('conflict', 'no copy was edited', { itemId });
    this.disown(row);
    await this.letGo(itemId);
  }

  /** The file that lies there is no item's any more, nor one to be shared by itself. */
  disown({ sphereId, path, state }: ItemRow): void {
    const sphere = this.#deps.list.find(sphereId);
    // What is not there leaves its name to whatever comes.
    if (path !== null && sphere !== undefined && state !== 'missing') this.#deps.settings.leave(sphere, path);
  }

  /** The edited file is another item's, or nobody's: this one is not here any more. */
  async letGo(itemId: ItemId): Promise<void> {
    const { book, feed } = this.#deps;
    const row = book.row(itemId);
    book.clear(itemId);
    if (row.wanted) await feed.remove(row.infoHash);
  }
}
