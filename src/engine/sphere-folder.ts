import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../base/errors.ts';
import { fileError, systemCode } from '../torrent/file-error.ts';
import { numberedName, safeName } from '../torrent/safe-name.ts';

const MAX_TRIES = 1000;
/** What is inside is for its owner only, whatever the system's habit is. */
const OWNER_ONLY = 0o700;

/**
 * Makes the folder of a new sphere; one that is there already is never taken over, nor one that `isTaken` by another sphere
 * and was deleted by hand. Its absolute path.
 */
export async function makeSphereFolder(
  spheresFolder: string,
  name: string,
  isTaken: (folder: string) => boolean = () => false,
): Promise<string> {
  const safe = safeName(name);
  try {
    await mkdir(spheresFolder, { recursive: true, mode: OWNER_ONLY });
  } catch (error) {
    throw fileError(error, 'the folder for spheres cannot be made');
  }
  for (let number = 1; number <= MAX_TRIES; number += 1) {
    const folder = path.join(spheresFolder, number === 1 ? safe : numberedName(safe, number, 'folder'));
    if (isTaken(folder)) continue;
    try {
      await mkdir(folder, OWNER_ONLY);
      return folder;
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw fileError(error, 'the folder of the sphere cannot be made');
    }
  }
  throw new AppError('conflict', 'every name for the folder is taken');
}
