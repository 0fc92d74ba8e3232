import { open } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import { inBatches } from '../base/in-batches.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { ManyFiles } from '../torrent/file-thread.ts';
import { edgeDigests } from './edge-digest.ts';
import type { Manifest } from './protocol/manifest.ts';

/** Files looked at together: of small ones most of the time goes into waiting. */
const TOGETHER = 16;

/** The last look before an item, or the files of it that are wanted, is shown: do they begin and end as the sharer's did? */
export async function verifyItem(
  manifest: Manifest,
  { layout, chosen }: Pick<ItemRow, 'layout' | 'chosen'>,
  many: ManyFiles | undefined,
  signal: AbortSignal,
): Promise<void> {
  const places = (layout ?? []).filter((segment) => segment.kind === 'file');
  const indices = chosen ?? Array.from(manifest.files.keys());
  const files = indices.flatMap((index) => {
    const file = manifest.files[index];
    return file === undefined ? [] : [{ ...file, index, path: places[index]?.path ?? '' }];
  });
  // What was chosen is not synced by the swarm, which waits for the whole item.
  const unsynced = files.filter(({ bytes }) => bytes === 0 || chosen !== null);
  await inBatches(unsynced, TOGETHER, async ({ path }) => {
    signal.throwIfAborted();
    await touch(path);
  });
  // Of a torrent from elsewhere nothing is known but its pieces, which were compared.
  const known = files.filter(({ headSha256 }) => headSha256 !== '');
  for (const [at, { headSha256, tailSha256 }] of (await edgeDigests(known, many, signal)).entries()) {
    const file = known[at];
    if (headSha256 === file?.headSha256 && tailSha256 === file.tailSha256) continue;
    throw new AppError('forged', 'a file is not the one that was shared', { file: file?.index });
  }
}

/** Puts the file on the disk for good; an empty one has no piece that would make it. */
async function touch(path: string): Promise<void> {
  await using file = await open(path, 'a');
  await file.sync();
}
