import { createHash } from 'node:crypto';
import { closeSync, constants, lstatSync, openSync, readSync } from 'node:fs';
import type { FileIdentity } from '../contract/swarm.ts';
import { GUARDED } from './contained-file.ts';
import { fileIdentity } from './file-identity.ts';
import type { SmallFilesJob, SyncAnswer, WrittenFile } from './small-files.ts';
import { runSmallFiles, syncFiles } from './small-files.ts';

/** A file, and parts of it; `to` is exclusive. */
export interface FileParts {
  readonly path: string;
  readonly parts: readonly { readonly from: number; readonly to: number }[];
}

/** What the thread for files is asked: of many files the same. */
export type FileJob =
  | SmallFilesJob
  | { readonly kind: 'sync'; readonly files: readonly WrittenFile[] }
  | { readonly kind: 'look'; readonly paths: readonly string[] }
  | { readonly kind: 'digest'; readonly files: readonly FileParts[] };

/** One for each file, in their order; false or null when it was not done, whatever the reason. */
export type FileAnswer = readonly (boolean | SyncAnswer | readonly string[])[];

export async function runFileJob(job: FileJob): Promise<FileAnswer> {
  switch (job.kind) {
    case 'read':
    case 'write':
      return runSmallFiles(job);
    case 'sync':
      return syncFiles(job.files);
    case 'look':
      return job.paths.map((path) => orNull(() => look(path)));
    case 'digest':
      return job.files.map((file) => orNull(() => digest(file)));
  }
}

function orNull<T>(operation: () => T | null): T | null {
  try {
    return operation();
  } catch {
    return null;
  }
}

/** As `readIdentity`. */
function look(path: string): FileIdentity | null {
  const stat = lstatSync(path, { bigint: true });
  return stat.isFile() ? fileIdentity(stat) : null;
}

/** SHA-256 in hex of each part; no link is followed. */
function digest({ path, parts }: FileParts): string[] | null {
  const fd = openSync(path, constants.O_RDONLY | GUARDED);
  try {
    const digests: string[] = [];
    for (const { from, to } of parts) {
      const bytes = Buffer.allocUnsafe(to - from);
      for (let at = 0; at < bytes.length;) {
        const read = readSync(fd, bytes, at, bytes.length - at, from + at);
        if (read === 0) return null;
        at += read;
      }
      digests.push(createHash('sha256').update(bytes).digest('hex'));
    }
    return digests;
  } finally {
    closeSync(fd);
  }
}
