import { open } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import { inBatches } from '../base/in-batches.ts';
import { edgeDigests } from './edge-digest.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { Manifest } from './protocol/manifest.ts';

/** Files looked at together: of small ones most of the time goes into waiting. */
const TOGETHER = 16;

/** The last look before an item, or the files of it that are wanted, is shown: do they begin and end as the sharer's did? */
export async function verifyItem(
  manifest: Manifest,
  { layout, chosen }: Pick<ItemRow, 'layout' | 'chosen'>,
  signal: AbortSignal,
): Promise<void> {
  const files = (layout ?? []).filter((segment) => segment.kind === 'file');
  const indices = chosen ?? Array.from(manifest.files.keys());
  await inBatches(indices, TOGETHER, verifyFile);

  async function verifyFile(index: number): Promise<void> {
    const file = manifest.files[index];
    if (file === undefined) return;
    const path = files[index]?.path ?? '';
    // What was chosen is not synced by the swarm, which waits for the whole item.
    if (file.bytes === 0 || chosen !== null) await touch(path);
    // Of a torrent from elsewhere nothing is known but its pieces, which were compared.
    if (file.headSha256 === '') return;
    const edges = await edgeDigests(path, file.bytes, signal);
    if (edges.headSha256 !== file.headSha256 || edges.tailSha256 !== file.tailSha256) {
      throw new AppError('forged', 'a file is not the one that was shared', { file: index });
    }
  }
}

/** Puts the file on the disk for good; an empty one has no piece that would make it. */
async function touch(path: string): Promise<void> {
  await using file = await open(path, 'a');
  await file.sync();
}
