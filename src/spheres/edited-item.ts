import type { EventId, ItemId } from '../base/id.ts';
import type { ItemRow } from '../storage/item-table.ts';
import { isOnList } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { EnumeratedTree } from '../torrent/enumerate.ts';
import { sameIdentity } from '../torrent/file-identity.ts';
import type { ItemDescription } from './describe-item.ts';
import { encodeManifest } from './protocol/manifest.ts';
import type { Sphere } from './sphere.ts';

/** What an item is to the one whose files were edited to make it. Only who shared that one can say that it takes its place. */
export interface Descent {
  readonly replaces: ItemId | null;
  readonly basedOn: ItemId | null;
}

const NO_DESCENT: Descent = { replaces: null, basedOn: null };

/** From which item of the sphere these files come: the one that has them on this disk and is not what they are now. */
export function descentOf(storage: Storage, sphere: Sphere, path: string, tree: EnumeratedTree): Descent {
  const row = storage.items.list(sphere.id).find((one) => one.path === path && isOnList(one) && isEdited(one, tree));
  const item = row === undefined ? undefined : sphere.state.items.get(row.itemId);
  if (item === undefined || item.replacedBy !== null || item.event.type !== 'item') return NO_DESCENT;
  const isOurs = item.event.header.person === sphere.person;
  return isOurs ? { replaces: item.id, basedOn: null } : { replaces: null, basedOn: item.id };
}

/**
 * A list of files says nothing of their middle: one that names other bytes must differ from the one before, or whoever has
 * the old version would take it for the new one.
 */
export function unlikeBefore(
  { attachments }: Storage,
  { replaces }: Descent,
  description: ItemDescription,
): ItemDescription {
  const before = replaces === null ? undefined : attachments.get(replaces as string as EventId, 'manifest');
  const { files } = description.manifest;
  if (before === undefined || Buffer.compare(before, encodeManifest({ files })) !== 0) return description;
  const manifest = { files: files.map((file) => ({ ...file, mtimeMs: file.mtimeMs + 1 })) };
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
