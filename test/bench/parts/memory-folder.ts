import { access } from 'node:fs/promises';

/** A file system in memory, on Linux: files there are in the page cache as long as they exist. */
export const MEMORY = '/dev/shm';

export function hasMemory(): Promise<boolean> {
  return access(MEMORY).then(
    () => true,
    () => false,
  );
}
