import { join } from 'node:path';
import type { Segment } from '../contract/swarm.ts';

/** Where the bytes of an item go while only some of its files are wanted, and what is fetched. */
export interface ChosenPlace {
  readonly segments: Segment[];
  /** Ranges of the byte space; null = everything. */
  readonly wanted: { readonly from: number; readonly to: number }[] | null;
}

/** A folder of our own, and one in it for the parts of this item. */
export interface PartsFolder {
  readonly root: string;
  readonly path: string;
}

/**
 * A piece at the edge of a wanted file holds bytes of its neighbours. They are kept in a folder of our own, so that the
 * person's folder shows no file that has not come.
 */
export function chosenPlace(
  layout: readonly Segment[],
  chosen: readonly number[] | null,
  parts: PartsFolder,
): ChosenPlace {
  if (chosen === null) return { segments: [...layout], wanted: null };
  const isChosen = new Set(chosen);
  let index = -1;
  const segments = layout.map((segment) => {
    if (segment.kind !== 'file') return segment;
    index += 1;
    if (!isChosen.has(index)) return { ...segment, path: join(parts.path, `${index}`), root: parts.root };
    return segment;
  });
  return { segments, wanted: rangesOf(layout, chosen) };
}

/** Where the bytes of files are in the byte space. */
export function rangesOf(layout: readonly Segment[], files: readonly number[]): { from: number; to: number }[] {
  const isMeant = new Set(files);
  return layout
    .filter((segment) => segment.kind === 'file')
    .filter(({ length }, index) => length > 0 && isMeant.has(index))
    .map(({ offset, length }) => ({ from: offset, to: offset + length }));
}

/** What is wanted after `files` were asked for too; null = everything, which nothing takes back. */
export function widen(
  row: { readonly wanted: boolean; readonly chosen: readonly number[] | null },
  files: readonly number[] | null,
  fileCount: number,
): readonly number[] | null {
  if (files === null || (row.wanted && row.chosen === null)) return null;
  const all = new Set([...(row.wanted ? (row.chosen ?? []) : []), ...files]);
  return all.size >= fileCount ? null : Array.from(all).toSorted((a, b) => a - b);
}

export function isSameChoice(a: readonly number[] | null, b: readonly number[] | null): boolean {
  return `${a}` === `${b}`;
}
