import type { ItemId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { isOnList } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { ShareService } from './share-service.ts';
import type { Sphere } from './sphere.ts';

interface KeyRenewalDeps {
  readonly storage: Storage;
  readonly shares: Pick<ShareService, 'renew'>;
  readonly log: Logger;
}

/**
 * Shares again under a new key what this device shared without knowing that somebody had gone: they would have the old
 * key. Only who shared an item can say what its new version is.
 */
export class KeyRenewal {
  readonly #deps: KeyRenewalDeps;
  /** What was cancelled or failed is tried again at the next start. */
  readonly #begun = new Set<ItemId>();

  constructor(deps: KeyRenewalDeps) {
    this.#deps = deps;
  }

  async run(sphere: Sphere): Promise<void> {
    const due = this.#due(sphere);
    for (const itemId of due) this.#begun.add(itemId);
    for (const itemId of due) {
      try {
        await this.#deps.shares.renew(itemId);
      } catch (error) {
        this.#deps.log.warn('an item keeps its key', { itemId, error });
      }
    }
  }

  #due(sphere: Sphere): ItemId[] {
    const { currentEpoch, isEpochDue, items } = sphere.state;
    const { state } = sphere.row;
    const hasEpoch = currentEpoch !== null && !isEpochDue && sphere.epoch(currentEpoch.id) !== undefined;
    // Under the old epoch the new key would be theirs too.
    if (!hasEpoch || state !== 'joined' || sphere.role === 'viewer') return [];
    const ours = [...items.values()].filter(
      ({ needsNewKey, replacedBy, event }) =>
        needsNewKey && replacedBy === null && !event.body.plain && event.header.device === sphere.device,
    );
    return ours.flatMap(({ id }) => {
      const row = this.#deps.storage.items.get(id);
      const isShared = row?.state === 'sharing' && isOnList(row);
      return isShared && !this.#begun.has(id) ? [id] : [];
    });
  }
}
