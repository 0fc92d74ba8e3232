import type { EventId, ItemId } from '../base/id.ts';
import type { ItemRow } from '../storage/item-table.ts';
import { isOnList } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { EnumeratedTree } from '../torrent/enumerate.ts';
import { sameIdentity } from '../torrent/file-identity.ts';
import type { ItemDescription } from './describe-item.ts';
import { encodeManifest } from './protocol/manifest.ts';
import type { Sphere } from './sphere.ts';
import { versionsOf } from './versions.ts';

/** What an item is to the one whose files were edited to make it. Only who shared that one can say that it takes its place. */
export interface Descent {
  readonly replaces: ItemId | null;
  readonly basedOn: ItemId | null;
}

const NO_DESCENT: Descent = { replaces: null, basedOn: null };

/** From which item of the sphere these files come: the one that has them on this disk and is not what they are now. */
export function descentOf(storage: Storage, sphere: Sphere, path: string, tree: EnumeratedTree): Descent {
  // Of what was chosen only in part no identities are known; that it changed is.
  const isOrigin = (one: ItemRow): boolean => isOnList(one) && (one.state === 'changed' || isEdited(one, tree));
  const row = storage.items.atPath(sphere.id, path).find(isOrigin);
  const item = row === undefined ? undefined : sphere.state.items.get(row.itemId);
  if (item === undefined || item.replacedBy !== null || item.event.type !== 'item') return NO_DESCENT;
  const isOurs = item.event.header.person === sphere.person;
  return isOurs ? { replaces: item.id, basedOn: null } : { replaces: null, basedOn: item.id };
}

/**
 * A list of files says nothing of their middle: one that names other bytes must differ from those of all versions before
 * it, or whoever has one of these would take it for the new one.
 */
export function unlikeBefore(
  { attachments }: Storage,
  sphere: Sphere,
  { replaces }: Descent,
  description: ItemDescription,
): ItemDescription {
  const versions = replaces === null ? [] : versionsOf(sphere.state.items, replaces);
  const before = versions.flatMap((id) => attachments.get(id as string as EventId, 'manifest') ?? []);
  let { manifest } = description;
  while (before.some((list) => Buffer.compare(list, encodeManifest(manifest)) === 0)) {
    manifest = { files: manifest.files.map((file) => ({ ...file, mtimeMs: file.mtimeMs + 1 })) };
  }
  return { ...description, manifest };
}

/** A copy that is still being fetched has no identity yet: whatever lies there was not made of it. */
function isEdited({ layout }: ItemRow, tree: EnumeratedTree): boolean {
  const files = (layout ?? []).filter((segment) => segment.kind === 'file');
  if (files.length === 0 || files.some(({ identity }) => identity === null)) return false;
  if (files.length !== tree.files.length) return true;
  return tree.files.some(({ path, identity }) => {
    const known = files.find((file) => file.path === path)?.identity;
    return known === undefined || known === null || !sameIdentity(known, identity);
  });
}
