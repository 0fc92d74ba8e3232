import type { ItemId } from '../base/id.ts';
import type { ItemEvent, KnownEvent } from './protocol/event.ts';
import type { Sphere } from './sphere.ts';
import { versionsOf } from './versions.ts';

/** The word that an item is deleted by. What was said of a version holds for those that took its place. */
export function deletionOf({ log, state }: Sphere, { id }: ItemEvent): KnownEvent<'retract'> | undefined {
  const itemId = id as string as ItemId;
  const versions = versionsOf(state.items, itemId);
  for (const version of versions.slice(0, versions.indexOf(itemId) + 1).reverse()) {
    const event = state.items.get(version)?.event;
    const word = event && log.annotations.retraction(event);
    if (word !== undefined) return word;
  }
  return undefined;
}

export function mayDelete(sphere: Sphere, { header }: ItemEvent): boolean {
  const { role, person } = sphere;
  return role === 'owner' || role === 'admin' || (role !== undefined && header.person === person);
}

/** What an owner or admin deleted, its sharer does not put back. */
export function mayPutBack(sphere: Sphere, event: ItemEvent): boolean {
  const word = deletionOf(sphere, event);
  const isOthersWord = word !== undefined && word.header.person !== event.header.person;
  return mayDelete(sphere, event) && (!isOthersWord || sphere.role === 'owner' || sphere.role === 'admin');
}
