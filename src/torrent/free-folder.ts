import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../base/errors.ts';
import { numberedName, safeName } from './safe-name.ts';

const MAX_NAMES = 1000;

/** Where in `place` nothing is yet: by the wanted name, or by that name with a number. */
export function freeFolder(place: string, wanted: string): string {
  const name = safeName(wanted);
  for (let number = 1; number <= MAX_NAMES; number += 1) {
    const folder = join(place, number === 1 ? name : numberedName(name, number, 'folder'));
    if (!existsSync(folder)) return folder;
  }
  throw new AppError('conflict', 'every name for the folder is taken');
}
