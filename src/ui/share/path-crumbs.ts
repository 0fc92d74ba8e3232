export interface Crumb {
  readonly name: string;
  readonly path: string;
}

/** The folders from `home` (shown under `homeName`) down to `path`; both are absolute and `path` lies in `home`. */
export function pathCrumbs(home: string, path: string, homeName: string): Crumb[] {
  const separator = home.includes('\\') || path.includes('\\') ? '\\' : '/';
  const crumbs: Crumb[] = [{ name: homeName, path: home }];
  const base = home.endsWith(separator) ? home : home + separator;
  if (!path.startsWith(base)) return crumbs;
  let current = base.slice(0, -1);
  for (const name of path.slice(base.length).split(separator)) {
    if (name === '') continue;
    current += separator + name;
    crumbs.push({ name, path: current });
  }
  return crumbs;
}
