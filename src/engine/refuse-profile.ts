import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../base/errors.ts';
import type { Profile } from './profile.ts';

/** Fails with `not-allowed` when sharing a path would give this installation's keys and messages to others. */
export async function refuseProfile(profile: Profile, paths: readonly string[]): Promise<void> {
  const secret = await realOf(profile.folder);
  const open = await realOf(profile.spheresFolder);
  for (const one of paths) {
    const real = await realOf(one);
    const isOpen = isWithin(open, real) && isWithin(secret, open) && open !== secret;
    if (isWithin(real, secret) || (isWithin(secret, real) && !isOpen)) {
      throw new AppError('not-allowed', 'the keys of Spherecast itself lie in there', { path: one });
    }
  }
}

/** Fails with `not-allowed` when a sphere's folder would come to lie among the keys and messages of this installation. */
export async function refuseInProfile(profile: Profile, place: string): Promise<void> {
  const [secret, open, real] = [await realOf(profile.folder), await realOf(profile.spheresFolder), await realOf(place)];
  if (!isWithin(secret, real) || (isWithin(open, real) && open !== secret)) return;
  throw new AppError('not-allowed', 'the keys of Spherecast itself lie in there', { path: place });
}

/** What is not there is refused when it is to be read. */
async function realOf(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch {
    // Missing or unreadable: compared as it is spelt.
    return path.resolve(file);
  }
}

function isWithin(folder: string, file: string): boolean {
  const way = path.relative(folder, file);
  return way !== '..' && !way.startsWith(`..${path.sep}`) && !path.isAbsolute(way);
}
