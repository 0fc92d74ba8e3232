import type { ItemFileView } from '../contract/views.ts';
import { FILES_SHOWN } from '../contract/views.ts';
import { playability } from '../player/playability.ts';
import { hasRange } from '../spheres/piece-map.ts';
import type { Manifest } from '../spheres/protocol/manifest.ts';
import type { ItemRow } from '../storage/item-table.ts';
import { probeOf } from './file-probe.ts';

/** What is drawn of a file that is whole. */
const PICTURED: readonly string[] = ['image', 'video'];

/** What was shown last, by the list of files it is of. */
const shown = new WeakMap<Manifest, Shown>();

interface Shown {
  readonly itemId: ItemRow['itemId'];
  /** What can change of each file, as one text. */
  readonly marks: string;
  readonly files: ItemFileView[];
}

interface Marks {
  readonly isHere: boolean;
  readonly isWanted: boolean;
}

/**
 * The first files of an item, of which `manifest` may be the beginning. The same array as long as nothing of it changes:
 * its item moves all the time.
 */
export function viewFiles(manifest: Manifest | undefined, row: ItemRow, pieceLength: number): ItemFileView[] {
  if (manifest === undefined) return [];
  const isWhole = isWholeHere(row);
  const of = marksOf(row, pieceLength);
  const first = manifest.files.slice(0, FILES_SHOWN);
  const each = row.chosen === null ? textOf(of(0)) : first.map((_, index) => textOf(of(index))).join('');
  const marks = `${isWhole} ${each}`;
  const before = shown.get(manifest);
  if (before !== undefined && before.marks === marks && before.itemId === row.itemId) return before.files;
  const known = before?.itemId === row.itemId ? before.files : [];
  const files = first.map((file, index) => viewFile(known[index] ?? staticView(file, index), row, of(index)));
  shown.set(manifest, { itemId: row.itemId, marks, files });
  return files;
}

/** Those of a long list that are looked at now. */
export function viewFilesFrom(
  manifest: Manifest,
  row: ItemRow,
  { pieceLength, from, most }: { readonly pieceLength: number; readonly from: number; readonly most: number },
): ItemFileView[] {
  const of = marksOf(row, pieceLength);
  const part = manifest.files.slice(from, from + most);
  return part.map((file, index) => viewFile(staticView(file, from + index), row, of(from + index)));
}

/** How many files of an item are here as a whole. */
export function countFilesHere(row: ItemRow, fileCount: number, pieceLength: number): number {
  if (isWholeHere(row)) return fileCount;
  const of = marksOf(row, pieceLength);
  return (row.chosen ?? []).filter((index) => of(index).isHere).length;
}

const isWholeHere = ({ state }: ItemRow): boolean => state === 'complete' || state === 'sharing';

function viewFile(file: ItemFileView, row: ItemRow, marks: Marks): ItemFileView {
  const isPictured = isWholeHere(row) && PICTURED.includes(file.kind);
  return { ...file, ...marks, previewUrl: isPictured ? `/preview/${row.itemId}-${file.index}` : null };
}

function marksOf(row: ItemRow, pieceLength: number): (index: number) => Marks {
  const { chosen } = row;
  const isWhole = isWholeHere(row);
  if (chosen === null) return () => ({ isHere: isWhole, isWanted: row.wanted });
  const places = (row.layout ?? []).filter((part) => part.kind === 'file');
  const isChosen = new Set(chosen);
  return (index) => {
    const place = places[index];
    const isLookedAt = place !== undefined && isChosen.has(index) && row.state !== 'verifying';
    const isHere = isLookedAt
      ? hasRange({ bitfield: row.bitfield, pieceLength }, place.offset, place.offset + place.length)
      : isWhole;
    return { isHere, isWanted: row.wanted && isChosen.has(index) };
  };
}

const textOf = ({ isHere, isWanted }: Marks): string => String(Number(isHere) * 2 + Number(isWanted));

function staticView(file: Manifest['files'][number], index: number): ItemFileView {
  const probe = probeOf(file);
  return {
    index,
    name: file.path.join('/'),
    type: probe.type,
    kind: probe.kind,
    bytes: file.bytes,
    playable: playability(probe),
    durationMs: probe.durationMs,
    isHere: false,
    isWanted: false,
    previewUrl: null,
  };
}
