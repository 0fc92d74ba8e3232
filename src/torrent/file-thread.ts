import type { SmallFilesJob } from './small-files.ts';
import { WorkerThreads } from './worker-threads.ts';

/**
 * Reads and writes files of which a piece has many, in a thread of its own: a disk that sleeps holds up neither what is
 * talked with peers nor the work on pieces. Tells for each file whether it was done; none is as long as the thread has
 * not started, or when it ends: then it is done the usual way, which finds what was made already.
 */
export class FileThread extends WorkerThreads<SmallFilesJob, readonly boolean[]> {
  constructor() {
    super({ name: 'files', url: new URL('./file-worker.ts', import.meta.url), most: 1, here: () => [] });
  }
}
