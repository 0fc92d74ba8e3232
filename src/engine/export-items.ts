import { constants } from 'node:fs';
import { cp, lstat, mkdir, realpath } from 'node:fs/promises';
import path from 'node:path';
import type { ItemView } from '../contract/views.ts';
import type { Sphere } from '../spheres/sphere.ts';
import { systemCode } from '../torrent/file-error.ts';
import { safeName, uniqueNames } from '../torrent/safe-name.ts';
import type { AccountSession } from './account-session.ts';
import { viewFilesFrom } from './item-files.ts';
import type { ViewSource } from './view-source.ts';

interface ExportItemsDeps {
  readonly session: Pick<AccountSession, 'items' | 'source'>;
  readonly views: Pick<ViewSource, 'items'>;
}

interface Copy {
  readonly from: string;
  /** Below the folder of all copies. */
  readonly to: string;
}

/** All items with all of their files, where views show the first ones alone. */
export function exportedItems({ session, views }: ExportItemsDeps, sphere: Sphere): ItemView[] {
  return views.items(sphere).map((item) => {
    const event = sphere.state.items.get(item.id)?.event;
    const manifest = event === undefined ? undefined : session.source.knownManifest(event);
    if (event === undefined || manifest === undefined) return item;
    const { pieceLength } = event.body;
    const range = { pieceLength, from: 0, most: manifest.files.length };
    return { ...item, files: viewFilesFrom(manifest, session.items.row(item.id), range) };
  });
}

/**
 * Copies what is whole here, of a folder that is not those files that are. Returns how many items and single files: what
 * is not there just now keeps nothing else from being copied.
 */
export async function copyItems(
  deps: ExportItemsDeps,
  { items, folder }: { readonly items: readonly ItemView[]; readonly folder: string },
  signal: AbortSignal,
): Promise<number> {
  const here = items.filter(({ path: place, filesHere }) => place !== null && filesHere > 0);
  const names = uniqueNames(here.map(({ name }) => [safeName(name)]));
  let copied = 0;
  for (const [index, item] of here.entries()) {
    for (const { from, to } of copiesOf(deps, item, names[index]?.[0] ?? item.id)) {
      signal.throwIfAborted();
      const real = await realPathOf(from);
      if (real === undefined) continue;
      const target = path.join(folder, to);
      await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
      await copyTree(real, target, signal);
      copied += 1;
    }
  }
  return copied;
}

function copiesOf({ session }: ExportItemsDeps, item: ItemView, name: string): Copy[] {
  if (item.path === null) return [];
  if (item.state === 'complete' || item.state === 'sharing') return [{ from: item.path, to: name }];
  const places = (session.items.row(item.id).layout ?? []).filter((part) => part.kind === 'file');
  const names = uniqueNames(item.files.map((file) => file.name.split('/')));
  return item.files.flatMap(({ index, isHere }) => {
    const place = places[index];
    return isHere && place !== undefined ? [{ from: place.path, to: path.join(name, ...(names[index] ?? [])) }] : [];
  });
}

async function realPathOf(file: string): Promise<string | undefined> {
  try {
    return await realpath(file);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Links inside are left out, as they are when a folder is shared. Where the file system can, a copy takes no room until it is changed. */
async function copyTree(from: string, to: string, signal: AbortSignal): Promise<void> {
  const filter = async (source: string): Promise<boolean> => {
    signal.throwIfAborted();
    const facts = await lstat(source);
    return facts.isFile() || facts.isDirectory();
  };
  await cp(from, to, { recursive: true, filter, mode: constants.COPYFILE_FICLONE });
}
