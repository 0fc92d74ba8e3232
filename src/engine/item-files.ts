import type { ItemFileView } from '../contract/views.ts';
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

/** The same array as long as nothing of it changes: that of a large folder is long, and its item moves all the time. */
export function viewFiles(manifest: Manifest | undefined, row: ItemRow, pieceLength: number): ItemFileView[] {
  if (manifest === undefined) return [];
  const isWhole = row.state === 'complete' || row.state === 'sharing';
  const of = marksOf(manifest, row, pieceLength, isWhole);
  const each = row.chosen === null ? textOf(of(0)) : manifest.files.map((_, index) => textOf(of(index))).join('');
  const marks = `${isWhole} ${each}`;
  const before = shown.get(manifest);
  if (before !== undefined && before.marks === marks && before.itemId === row.itemId) return before.files;
  const known = before?.itemId === row.itemId ? before.files : [];
  const files = manifest.files.map((file, index): ItemFileView => {
    const previewed = known[index] ?? staticView(file, index);
    const isPictured = isWhole && PICTURED.includes(previewed.kind);
    return { ...previewed, ...of(index), previewUrl: isPictured ? `/preview/${row.itemId}-${index}` : null };
  });
  shown.set(manifest, { itemId: row.itemId, marks, files });
  return files;
}

function marksOf(manifest: Manifest, row: ItemRow, pieceLength: number, isWhole: boolean): (index: number) => Marks {
  const { chosen } = row;
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
