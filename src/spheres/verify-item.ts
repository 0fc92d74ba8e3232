import { open } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import { inBatches } from '../base/in-batches.ts';
import type { ItemRow } from '../storage/item-table.ts';
import { fileError } from '../torrent/file-error.ts';
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
  const empty = files.filter(({ bytes }) => bytes === 0);
  await inBatches(empty, TOGETHER, async ({ path }) => {
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

/** No piece makes an empty file, or puts it on the disk for good. */
async function touch(path: string): Promise<void> {
  try {
    await using file = await open(path, 'a');
    await file.sync();
  } catch (cause) {
    throw fileError(cause, 'cannot make an empty file', { path });
  }
}
