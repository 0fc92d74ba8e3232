import { stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { AppError } from '../base/errors.ts';
import type { ItemId } from '../base/id.ts';
import type { ItemView } from '../contract/views.ts';
import { fileError, systemCode } from '../torrent/file-error.ts';
import { numberedName, safeName } from '../torrent/safe-name.ts';
import type { AppCallsDeps } from './app-calls-deps.ts';
import type { AppServices } from './app-services.ts';
import { requireInSphere } from './require-in-sphere.ts';

const MOST_NAMES = 1000;

/** Opens plain items to other programs, and closes them again. */
export function openedItemCalls(
  deps: AppCallsDeps,
  view: (itemId: ItemId) => ItemView,
): Pick<AppServices['items'], 'openToPrograms' | 'closeToPrograms'> {
  const { holder } = deps;
  return {
    async openToPrograms({ sphereId, itemId, folder = homedir() }, signal) {
      const { list, items } = holder.session;
      const event = requireInSphere(deps, sphereId, itemId);
      await requireFolder(folder);
      const wasOpened = items.opened.has(itemId);
      const { torrent, endpoints } = await items.opened.open(list.get(sphereId), event, signal);
      try {
        const file = await save(folder, safeName(`${event.body.name}.torrent`), torrent);
        return { item: view(itemId), file, endpoints: [...endpoints] };
      } catch (error) {
        if (!wasOpened) await items.opened.close(itemId);
        throw error;
      }
    },
    async closeToPrograms({ sphereId, itemId }) {
      requireInSphere(deps, sphereId, itemId);
      await holder.session.items.opened.close(itemId);
      return { item: view(itemId) };
    },
  };
}

/** Before anything is opened. */
async function requireFolder(folder: string): Promise<void> {
  try {
    if (!(await stat(folder)).isDirectory()) throw new AppError('not-found', 'no such folder');
  } catch (error) {
    throw fileError(error, 'there is no such folder');
  }
}

/** Nothing that is there is overwritten. */
async function save(folder: string, name: string, bytes: Uint8Array): Promise<string> {
  for (let number = 1; number <= MOST_NAMES; number += 1) {
    const file = path.join(folder, number === 1 ? name : numberedName(name, number, 'file'));
    try {
      await writeFile(file, bytes, { flag: 'wx' });
      return file;
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw fileError(error, 'the .torrent cannot be written');
    }
  }
  throw new AppError('conflict', 'every name for the .torrent is taken');
}
