import { statfs } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import type { Segment } from '../contract/swarm.ts';
import { fileError } from './file-error.ts';

/** Left free for everything else the person does, and for our own database. */
const RESERVE_BYTES = 64 * 1024 * 1024;

/** Bytes an ordinary user can still write on the disk that holds `folder`. */
export async function freeSpace(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder, { bigint: true });
    return Number(bavail * bsize);
  } catch (cause) {
    throw fileError(cause, 'cannot ask the disk for its free space', { path: folder });
  }
}

/** Fails with `disk-full` when `bytes` more would not fit beside the reserve. */
export async function requireSpace(folder: string, bytes: number): Promise<void> {
  const free = await freeSpace(folder);
  if (free < bytes + RESERVE_BYTES) {
    throw new AppError('disk-full', 'the disk cannot hold the item', { needed: bytes, free });
  }
}

/** The same for the `missing` bytes of a torrent; padding and manifest lie on no disk. */
export async function requireSpaceFor(segments: readonly Segment[], missing: number): Promise<void> {
  const files = segments.flatMap((segment) => (segment.kind === 'file' ? [segment] : []));
  const stored = files.reduce((bytes, segment) => bytes + segment.length, 0);
  const root = files.find((segment) => segment.root !== null)?.root;
  if (root !== undefined && root !== null) await requireSpace(root, Math.max(0, Math.min(missing, stored)));
}
