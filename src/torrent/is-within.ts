import nodePath from 'node:path';

/** Whether a path is the folder itself or lies in it; both absolute, and no links are followed. */
export function isWithin(folder: string, path: string, { relative, isAbsolute, sep } = nodePath): boolean {
  const way = relative(folder, path);
  // To another drive of Windows there is no relative way.
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}
