import { parentPort } from 'node:worker_threads';
import type { SmallFilesJob } from './small-files.ts';
import { runSmallFiles } from './small-files.ts';

/** The entry of the thread for small files. Its first message is null: it has started; then come answers, in order. */
parentPort?.on('message', (job: SmallFilesJob) => parentPort?.postMessage(runSmallFiles(job)));
parentPort?.postMessage(null);
