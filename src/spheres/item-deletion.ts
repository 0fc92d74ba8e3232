import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { EventId, ItemId, SphereId } from '../base/id.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import { deletionOf, mayDelete, mayPutBack } from './deletion.ts';
import { UNDO_MS } from './item-removal.ts';
import type { ItemService } from './item-service.ts';
import type { ItemEvent } from './protocol/event.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

/**
 * Deletes items for everybody, and puts them back. Nobody's disk is touched by it: the item leaves all lists, is fetched
 * and served no more, and what belongs to it is forgotten when it cannot be undone any more.
 */
export class ItemDeletion {
  readonly #list: SphereList;
  readonly #items: Pick<ItemService, 'undoUntilMs'>;

  constructor(deps: { readonly list: SphereList; readonly items: Pick<ItemService, 'undoUntilMs'> }) {
    this.#list = deps.list;
    this.#items = deps.items;
  }

  /** Fails with `not-allowed` for what somebody else shared, unless we are owner or admin. */
  delete(row: ItemRow): void {
    const { sphere, event } = this.#find(row);
    if (!mayDelete(sphere, event)) throw new AppError('not-allowed', 'only who shared it, owner and admins delete it');
    if (deletionOf(sphere, event) !== undefined) return;
    this.#say(sphere, event.id, false);
  }

  /** Fails with `not-allowed` when it was not ours to delete, and with `not-found` when it is too late. */
  undo(row: ItemRow): void {
    if (this.#items.undoUntilMs(row) === undefined) {
      throw new AppError('not-found', 'the item was deleted too long ago', { itemId: row.itemId });
    }
    const { sphere, event } = this.#find(row);
    const word = deletionOf(sphere, event);
    if (word === undefined) return;
    if (!mayPutBack(sphere, event)) throw new AppError('not-allowed', 'only owner and admins put it back');
    this.#say(sphere, word.body.target, true);
  }

  #say(sphere: Sphere, target: EventId, isUndone: boolean): void {
    this.#list.publish(sphere, 'retract', { target, isUndone }, { audience: { kind: 'certified' } });
  }

  #find({ sphereId, itemId }: ItemRow): { readonly sphere: Sphere; readonly event: ItemEvent } {
    const sphere = this.#list.getJoined(sphereId);
    const event = sphere.state.items.get(itemId)?.event;
    if (event === undefined) throw new AppError('not-found', 'no such item', { itemId });
    return { sphere, event };
  }
}

/**
 * Forgets what belongs to items that cannot be put back any more: those deleted before a moment that is asked for by
 * sphere. Their events stay, or the chain would have a gap.
 */
export function eraseDeleted(
  { storage, clock }: { readonly storage: Storage; readonly clock: Clock },
  beforeIn: (sphereId: SphereId) => number,
): ItemId[] {
  // There may be very many, most of them erased long ago.
  const answers = new Map<SphereId, number>();
  return storage.items.listDeletedBefore(clock.now() - UNDO_MS).flatMap(({ itemId, sphereId, deletedAtMs }) => {
    const eventId = itemId as string as EventId;
    const kinds = storage.attachments.list(eventId).map(({ kind }) => kind);
    if (kinds.length === 0) return [];
    const before = answers.get(sphereId) ?? beforeIn(sphereId);
    answers.set(sphereId, before);
    if (deletedAtMs > before) return [];
    storage.transaction(() => {
      for (const kind of kinds) storage.attachments.remove(eventId, kind);
      if (storage.messages.has(eventId)) storage.messages.update(eventId, { text: '' });
    });
    return [itemId];
  });
}

const ARRIVING: readonly ItemRow['state'][] = ['queued', 'downloading', 'paused', 'disk-full'];

/** Whether what is here is a part of one file: of several each may be whole, and what is whole was wanted. */
export function isUseless({ state, bytesHave }: ItemRow, { body }: ItemEvent): boolean {
  return ARRIVING.includes(state) && body.fileCount === 1 && bytesHave < body.bytes;
}
