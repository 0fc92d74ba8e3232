import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { PieceCrypto, PieceJob, PieceMarks } from './piece-crypto.ts';
import { runPieceJob } from './piece-crypto.ts';

interface Waiting {
  readonly job: PieceJob;
  readonly resolve: (marks: PieceMarks) => void;
}

interface Thread {
  readonly worker: Worker;
  /** In the order of the answers. */
  readonly waiting: Waiting[];
  /** It has loaded its code and takes jobs. */
  isReady: boolean;
}

const MOST_THREADS = 4;
/**
 * Enciphers, deciphers and hashes pieces beside the thread that talks to peers. Where threads cannot be had, and until
 * the first has started, the work is done here: a piece takes milliseconds, a thread's start up to a second.
 */
export class PieceThreads implements PieceCrypto, AsyncDisposable {
  readonly #size: number;
  readonly #url: URL;
  readonly #threads: Thread[] = [];
  #broken = false;

  constructor(deps: { threads?: number; url?: URL } = {}) {
    this.#size = deps.threads ?? Math.min(MOST_THREADS, availableParallelism());
    this.#url = deps.url ?? new URL('./piece-worker.ts', import.meta.url);
  }

  /** Threads that take jobs. */
  get ready(): number {
    return this.#threads.filter(({ isReady }) => isReady).length;
  }

  run(job: PieceJob): Promise<PieceMarks> {
    const thread = this.#next();
    if (thread === null) return Promise.resolve(runPieceJob(job));
    return new Promise((resolve) => {
      thread.waiting.push({ job, resolve });
      // Idle threads must not keep the process alive, working ones must.
      if (thread.waiting.length === 1) thread.worker.ref();
      thread.worker.postMessage(job);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#broken = true;
    await Promise.all(Array.from(this.#threads, ({ worker }) => worker.terminate()));
  }

  #next(): Thread | null {
    if (this.#broken) return null;
    const ready = this.#threads.filter(({ isReady }) => isReady);
    const least = ready.toSorted((a, b) => a.waiting.length - b.waiting.length)[0];
    const isStarting = ready.length < this.#threads.length;
    if (least?.waiting.length !== 0 && !isStarting && this.#threads.length < this.#size) this.#start();
    return least ?? null;
  }

  #start(): void {
    const worker = new Worker(this.#url, { name: 'pieces', execArgv: [], stdin: false });
    const thread: Thread = { worker, waiting: [], isReady: false };
    worker.on('message', (marks: PieceMarks | null) => {
      if (marks === null) thread.isReady = true;
      else thread.waiting.shift()?.resolve(marks);
      if (thread.waiting.length === 0) worker.unref();
    });
    worker.on('error', () => this.#lose(thread));
    worker.on('exit', () => this.#lose(thread));
    worker.unref();
    this.#threads.push(thread);
  }

  /** A job may be done twice without harm: its input is untouched. */
  #lose(thread: Thread): void {
    const index = this.#threads.indexOf(thread);
    if (index === -1) return;
    this.#threads.splice(index, 1);
    this.#broken = true;
    for (const { job, resolve } of thread.waiting.splice(0)) resolve(runPieceJob(job));
  }
}
