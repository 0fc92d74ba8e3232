import type { Desktop } from '../desktop.ts';

/** What a drop gives: real paths in the desktop application, only names in a browser. */
export type Dropped =
  | { readonly kind: 'paths'; readonly paths: string[] }
  | { readonly kind: 'no-paths'; readonly names: string[] }
  | { readonly kind: 'nothing' };

/** `files` are the entries of the drop, folders included. */
export function droppedPaths(files: Iterable<File>, desktop: Pick<Desktop, 'pathForFile'> | null): Dropped {
  const list = Array.from(files);
  if (list.length === 0) return { kind: 'nothing' };
  const names = list.map((file) => file.name);
  if (desktop === null) return { kind: 'no-paths', names };
  const paths = Array.from(new Set(list.map((file) => desktop.pathForFile(file)).filter((path) => path !== '')));
  // A picture dragged out of another window has no file behind it.
  return paths.length === 0 ? { kind: 'no-paths', names } : { kind: 'paths', paths };
}
