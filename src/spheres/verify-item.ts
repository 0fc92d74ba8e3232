import { open } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import type { Segment } from '../contract/swarm.ts';
import { edgeDigests } from './edge-digest.ts';
import type { Manifest } from './protocol/manifest.ts';

/** The last look before an item is shown as complete: do its files begin and end as the sharer's did? */
export async function verifyItem(manifest: Manifest, layout: readonly Segment[], signal: AbortSignal): Promise<void> {
  const files = layout.filter((segment) => segment.kind === 'file');
  for (const [index, file] of manifest.files.entries()) {
    const path = files[index]?.path ?? '';
    if (file.bytes === 0) await touch(path);
    const edges = await edgeDigests(path, file.bytes, signal);
    if (edges.headSha256 !== file.headSha256 || edges.tailSha256 !== file.tailSha256) {
      throw new AppError('forged', 'a file is not the one that was shared', { file: index });
    }
  }
}

/** An empty file has no piece that would make it. */
async function touch(path: string): Promise<void> {
  await using file = await open(path, 'a');
  await file.sync();
}
