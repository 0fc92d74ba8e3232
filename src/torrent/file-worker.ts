import { parentPort } from 'node:worker_threads';
import type { FileJob } from './file-job.ts';
import { runFileJob } from './file-job.ts';

/** The entry of the thread for files. Its first message is null: it has started; then come answers, in order. */
let last: Promise<void> = Promise.resolve();
parentPort?.on('message', (job: FileJob) => {
  last = last.then(async () => parentPort?.postMessage(await runFileJob(job)));
});
parentPort?.postMessage(null);
