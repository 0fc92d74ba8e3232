import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../base/errors.ts';
import { isWithin } from '../torrent/contained-file.ts';
import type { Profile } from './profile.ts';
import { locateProfile, peopleFolder } from './profile.ts';

/** Fails with `not-allowed` when sharing a path would give the keys and messages of people here to others. */
export async function refuseProfile(profile: Profile, paths: readonly string[]): Promise<void> {
  const secrets = await secretsBeside(profile);
  for (const one of paths) {
    const real = await realOf(one);
    if (secrets.some((secret) => isWithin(real, secret))) throw refused(one);
    await refuseInProfile(profile, one);
  }
}

/** Fails with `not-allowed` when a sphere's folder would come to lie among the keys and messages of people here. */
export async function refuseInProfile(profile: Profile, place: string): Promise<void> {
  const secrets = await secretsBeside(profile);
  const [open, real] = [await realOf(profile.spheresFolder), await realOf(place)];
  const isOpen = isWithin(open, real) && !secrets.some((secret) => isWithin(open, secret));
  if (!isOpen && secrets.some((secret) => isWithin(secret, real))) throw refused(place);
}

/** Of this person, and of the others of this computer. */
function secretsBeside({ folder }: Profile): Promise<string[]> {
  const usual = locateProfile().folder;
  return Promise.all([folder, usual, peopleFolder(usual)].map(realOf));
}

const refused = (place: string): AppError =>
  new AppError('not-allowed', 'the keys of Spherecast itself lie in there', { path: place });

/** What is not there is refused when it is to be read. */
async function realOf(file: string): Promise<string> {
  try {
    return await realpath(file);
  } catch {
    // Missing or unreadable: compared as it is spelt.
    return path.resolve(file);
  }
}
