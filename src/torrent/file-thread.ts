import { Worker } from 'node:worker_threads';
import type { SmallFilesJob } from './small-files.ts';

/**
 * Reads and writes files of which a piece has many, in a thread of its own: a disk that sleeps holds up neither what is
 * talked with peers nor the work on pieces. It is started by the first job.
 */
export class FileThread implements AsyncDisposable {
  readonly #url: URL;
  /** In the order of the answers. */
  readonly #waiting: ((done: readonly boolean[]) => void)[] = [];
  #worker: Worker | null = null;
  #isReady = false;
  #isBroken = false;

  constructor(deps: { url?: URL } = {}) {
    this.#url = deps.url ?? new URL('./file-worker.ts', import.meta.url);
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** For each file whether it was done; none is as long as the thread has not started, or when it ends. */
  run(job: SmallFilesJob): Promise<readonly boolean[]> {
    if (!this.#isBroken && this.#worker === null) this.#start();
    const worker = this.#worker;
    if (!this.#isReady || worker === null) return Promise.resolve([]);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      // An idle thread must not keep the process alive, a working one must.
      if (this.#waiting.length === 1) worker.ref();
      worker.postMessage(job);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isBroken = true;
    await this.#worker?.terminate();
  }

  #start(): void {
    const worker = new Worker(this.#url, { name: 'files', execArgv: [], stdin: false });
    this.#worker = worker;
    worker.on('message', (done: readonly boolean[] | null) => {
      if (done === null) this.#isReady = true;
      else this.#waiting.shift()?.(done);
      if (this.#waiting.length === 0) worker.unref();
    });
    worker.on('error', () => this.#lose());
    worker.on('exit', () => this.#lose());
    worker.unref();
  }

  /** What it was about to do is done the usual way; a file that it has made already is found there. */
  #lose(): void {
    this.#isBroken = true;
    this.#isReady = false;
    this.#worker = null;
    for (const resolve of this.#waiting.splice(0)) resolve([]);
  }
}
