import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { AppError } from '../base/errors.ts';
import { isWithin } from '../torrent/is-within.ts';
import type { Profile } from './profile.ts';
import { locateProfile, peopleFolder } from './profile.ts';

/** Fails with `not-allowed` when sharing a path would give the keys and messages of people here to others. */
export async function refuseProfile(profile: Profile, paths: readonly string[]): Promise<void> {
  const { secrets, isSecret } = await secretsBeside(profile);
  for (const one of paths) {
    const real = await realOf(one);
    if (isSecret(real) || secrets.some((secret) => isWithin(real, secret))) throw refused(one);
  }
}

/** Fails with `not-allowed` when a sphere's folder would come to lie among the keys and messages of people here. */
export async function refuseInProfile(profile: Profile, place: string): Promise<void> {
  const { isSecret } = await secretsBeside(profile);
  if (isSecret(await realOf(place))) throw refused(place);
}

/** Of this person, and of the others of this computer. */
async function secretsBeside({ folder, spheresFolder }: Profile) {
  const usual = locateProfile().folder;
  const secrets = await Promise.all([folder, usual, peopleFolder(usual)].map(realOf));
  const open = await realOf(spheresFolder);
  const isOpen = !secrets.some((secret) => isWithin(open, secret));
  const isSecret = (real: string): boolean =>
    !(isOpen && isWithin(open, real)) && secrets.some((secret) => isWithin(secret, real));
  return { secrets, isSecret };
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
