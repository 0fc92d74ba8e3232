import { Worker } from 'node:worker_threads';
import { untilAborted } from '../base/until-aborted.ts';

export interface WorkerThreadsDeps<Job, Answer> {
  /** As debuggers show the threads. */
  readonly name: string;
  /** The entry of a thread: it says null once it has started, then the answers in the order of the jobs. */
  readonly url: URL;
  readonly most: number;
  /** The answer to a job that no thread takes, or that the thread which had it did not finish. */
  readonly here: (job: Job) => Answer;
}

interface Waiting<Job, Answer> {
  readonly job: Job;
  readonly resolve: (answer: Answer) => void;
}

interface Thread<Job, Answer> {
  readonly worker: Worker;
  /** In the order of the answers. */
  readonly waiting: Waiting<Job, Answer>[];
  /** It has loaded its code and takes jobs. */
  isReady: boolean;
  /** Settles when it has, or never will. */
  readonly started: PromiseWithResolvers<void>;
}

/** Threads of one kind, each started when a job comes and none is free; once one is lost, all jobs are answered here. */
export class WorkerThreads<Job, Answer> implements AsyncDisposable {
  readonly #deps: WorkerThreadsDeps<Job, Answer>;
  readonly #threads: Thread<Job, Answer>[] = [];
  #isBroken = false;

  constructor(deps: WorkerThreadsDeps<Job, Answer>) {
    this.#deps = deps;
  }

  /** Threads that take jobs. */
  get ready(): number {
    return this.#threads.filter(({ isReady }) => isReady).length;
  }

  /** Resolves once a thread takes jobs, or when none will; it takes as long as loading its code. */
  async start(signal?: AbortSignal): Promise<void> {
    if (this.#isBroken || this.ready > 0) return;
    if (this.#threads.length === 0) this.#start();
    const [thread] = this.#threads;
    // Somebody waits for it: until it has started the process must not end.
    thread?.worker.ref();
    const started = thread?.started.promise;
    await (signal === undefined ? started : Promise.race([started, untilAborted(signal)]));
  }

  run(job: Job): Promise<Answer> {
    const thread = this.#next();
    if (thread === null) return Promise.resolve(this.#deps.here(job));
    return new Promise((resolve) => {
      thread.waiting.push({ job, resolve });
      // Idle threads must not keep the process alive, working ones must.
      if (thread.waiting.length === 1) thread.worker.ref();
      thread.worker.postMessage(job);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isBroken = true;
    await Promise.all(Array.from(this.#threads, ({ worker }) => worker.terminate()));
  }

  #next(): Thread<Job, Answer> | null {
    if (this.#isBroken) return null;
    const ready = this.#threads.filter(({ isReady }) => isReady);
    const least = ready.toSorted((a, b) => a.waiting.length - b.waiting.length)[0];
    const isStarting = ready.length < this.#threads.length;
    if (least?.waiting.length !== 0 && !isStarting && this.#threads.length < this.#deps.most) this.#start();
    return least ?? null;
  }

  #start(): void {
    const { name, url } = this.#deps;
    const worker = new Worker(url, { name, execArgv: [], stdin: false });
    const started = Promise.withResolvers<void>();
    const thread: Thread<Job, Answer> = { worker, waiting: [], isReady: false, started };
    worker.on('message', (answer: Answer | null) => {
      if (answer === null) {
        thread.isReady = true;
        started.resolve();
      } else thread.waiting.shift()?.resolve(answer);
      if (thread.waiting.length === 0) worker.unref();
    });
    worker.on('error', () => this.#lose(thread));
    worker.on('exit', () => this.#lose(thread));
    worker.unref();
    this.#threads.push(thread);
  }

  #lose(thread: Thread<Job, Answer>): void {
    const index = this.#threads.indexOf(thread);
    if (index === -1) return;
    this.#threads.splice(index, 1);
    this.#isBroken = true;
    thread.started.resolve();
    for (const { job, resolve } of thread.waiting.splice(0)) resolve(this.#deps.here(job));
  }
}
