import type { ItemId } from '../base/id.ts';
import type { ItemEvent } from './protocol/event.ts';
import type { SphereItem } from './protocol/sphere-state.ts';

type Items = ReadonlyMap<ItemId, SphereItem>;

/** An item with what it took the place of and what took its place, the first version first; empty when it is unknown. */
export function versionsOf(items: Items, id: ItemId): ItemId[] {
  const versions = items.has(id) ? [id] : [];
  for (let oldest = versionBefore(items, id); oldest !== null; oldest = versionBefore(items, oldest)) {
    versions.unshift(oldest);
  }
  for (let next = after(items, id); next !== null; next = after(items, next)) versions.push(next);
  return versions;
}

function after(items: Items, id: ItemId): ItemId | null {
  return items.get(id)?.replacedBy ?? null;
}

/** What an item took the place of. */
export function versionBefore(items: Items, id: ItemId): ItemId | null {
  const replaces = items.get(id)?.event.body.replaces ?? null;
  const old = replaces === null ? undefined : items.get(replaces as string as ItemId);
  return old?.replacedBy === id ? old.id : null;
}

/** Whether both name the same files, in the same places of the torrent's bytes. */
export function hasSameBytes({ body: a }: ItemEvent, { body: b }: ItemEvent): boolean {
  const isSameList = a.manifest.sha256 === b.manifest.sha256 && a.manifest.offset === b.manifest.offset;
  const isSameRoot = (a.media.kind === 'folder') === (b.media.kind === 'folder') && a.name === b.name;
  return isSameList && isSameRoot && a.bytes === b.bytes && a.pieceLength === b.pieceLength;
}
