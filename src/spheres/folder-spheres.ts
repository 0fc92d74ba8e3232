import type { Sphere } from './sphere.ts';

/**
 * The spheres that share a folder with this one, it included: what goes on in another sphere lies where it lay. Two that
 * merely came to the same path, as when a folder was deleted by hand, have nothing to do with each other.
 */
export function spheresOfFolder(all: readonly Sphere[], sphere: Sphere): Sphere[] {
  return [...kinOf(all, sphere, isLinked)].filter(({ row }) => row.folder === sphere.row.folder);
}

/** In which of them what is put into the folder is shared: of those that we are in, the one that the others go on in. */
export function folderHolder(all: readonly Sphere[], sphere: Sphere): Sphere | undefined {
  const sharing = spheresOfFolder(all, sphere);
  const joined = sharing.filter(({ row }) => row.state === 'joined');
  return joined
    .filter((one) => !joined.some((other) => goesOn(one, other)) && !sharing.some((other) => isMereClaim(one, other)))
    .toSorted((a, b) => a.row.createdAtMs - b.row.createdAtMs)
    .at(-1);
}

/**
 * The spheres whose files may lie in the folder of this one: whatever is said to go on in one of them, for what is here of
 * an item moves from sphere to sphere and stays where it lies, and those that we are in and that have the folder too.
 */
export function folderKin(all: readonly Sphere[], sphere: Sphere): ReadonlySet<Sphere> {
  return kinOf(all, sphere, (a, b) => isLinked(a, b) || (a.row.folder === b.row.folder && b.row.state === 'joined'));
}

function kinOf(all: readonly Sphere[], sphere: Sphere, isKin: (a: Sphere, b: Sphere) => boolean): Set<Sphere> {
  const kin = new Set([sphere]);
  // What is added meanwhile is looked at too.
  for (const one of kin) for (const other of all) if (isKin(one, other)) kin.add(other);
  return kin;
}

function isLinked(a: Sphere, b: Sphere): boolean {
  return a.log.continuation.continues === b.id || b.log.continuation.continues === a.id;
}

/** Both say so, each in its own log. */
function goesOn(from: Sphere, to: Sphere): boolean {
  return to.log.continuation.continues === from.id && from.log.continuation.continued.has(to.id);
}

/** It says to go on from another that knows nothing of it. */
function isMereClaim(one: Sphere, of: Sphere): boolean {
  return one.log.continuation.continues === of.id && !of.log.continuation.continued.has(one.id);
}
