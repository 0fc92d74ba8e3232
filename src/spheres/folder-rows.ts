import { relative, resolve } from 'node:path';
import type { FileIdentity, Segment } from '../contract/swarm.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import { readIdentity, sameIdentity } from '../torrent/file-identity.ts';
import { isWithin } from '../torrent/is-within.ts';

/** From where to where a folder went; `names`: all by which the old one is known, links resolved or not. */
export interface FolderWay {
  readonly names: readonly string[];
  readonly to: string;
}

/** What the files of received or shared items are now, by their old paths, where they were not changed before the move. */
export type NewIdentities = ReadonlyMap<string, FileIdentity>;

/** The path after the move; undefined for what does not lie in the folder. */
export function movedPath({ names, to }: FolderWay, path: string): string | undefined {
  const name = names.find((one) => isWithin(one, path));
  return name === undefined ? undefined : resolve(to, relative(name, path));
}

/** Copies are other files to the disk. A file that was changed before the move must go on counting as changed. */
export async function identitiesOf(way: FolderWay, rows: readonly ItemRow[]): Promise<NewIdentities> {
  const found = new Map<string, FileIdentity>();
  for (const part of rows.flatMap(({ layout }) => layout ?? [])) {
    const to = part.kind === 'file' ? movedPath(way, part.path) : undefined;
    if (part.kind !== 'file' || part.identity === null || to === undefined) continue;
    const [before, after] = [await identityOf(part.path), await identityOf(to)];
    if (before !== null && after !== null && sameIdentity(before, part.identity)) found.set(part.path, after);
  }
  return found;
}

async function identityOf(path: string): Promise<FileIdentity | null> {
  try {
    return await readIdentity(path);
  } catch {
    // What is not there, or cannot be looked at, is no file that was copied.
    return null;
  }
}

/** Writes down that the folder lies elsewhere now: of spheres, items, and shares that were begun. In one transaction. */
export function moveRows(storage: Storage, way: FolderWay, identities: NewIdentities): void {
  const pathOf = (path: string): string => movedPath(way, path) ?? path;
  for (const { id, folder } of storage.spheres.list()) {
    if (way.names.includes(folder)) storage.spheres.update(id, { folder: way.to });
  }
  for (const { itemId, path, layout } of rowsWithin(storage, way)) {
    storage.items.update(itemId, {
      path: path === null ? null : pathOf(path),
      layout: layout?.map((part) => movedSegment(part, pathOf, identities)) ?? null,
    });
  }
  for (const { id, path, link } of storage.shareJobs.list()) {
    storage.shareJobs.update(id, { path: pathOf(path), link: link === null ? null : pathOf(link) });
  }
}

/** Of all spheres: what goes on in another one lies where it lay. */
export function rowsWithin({ items }: Pick<Storage, 'items'>, way: FolderWay): ItemRow[] {
  return items.listAll().filter(({ path, layout }) => {
    const parts = (layout ?? []).flatMap((part) => (part.kind === 'file' ? [part.path] : []));
    return [...(path === null ? [] : [path]), ...parts].some((one) => movedPath(way, one) !== undefined);
  });
}

function movedSegment(part: Segment, pathOf: (path: string) => string, identities: NewIdentities): Segment {
  if (part.kind !== 'file') return part;
  const { path, root, identity } = part;
  return {
    ...part,
    path: pathOf(path),
    root: root === null ? null : pathOf(root),
    identity: identities.get(path) ?? identity,
  };
}
