import type { FileIdentity } from '../contract/swarm.ts';
import type { FileAnswer, FileJob, FileParts } from './file-job.ts';
import type { SmallFilesJob, WrittenFile } from './small-files.ts';
import { WorkerThreads } from './worker-threads.ts';

/** Files of one message: what others ask of the thread comes in between. */
const AT_ONCE = 256;
/** Fewer go the usual way: to start the thread, and to tell it, takes its time too. */
const FEWEST = 64;

/** Does the same with many files; gives for each, in their order, what came of it. `undefined`: not done, for the usual way. */
export interface ManyFiles {
  run(job: SmallFilesJob): Promise<readonly boolean[]>;
  /** Puts them on the disk for good; gives what they are from now on, or the system's code when the disk does not take one. */
  sync(files: readonly WrittenFile[], signal: AbortSignal): Promise<(FileIdentity | string | undefined)[]>;
  /** What they are now. */
  look(paths: readonly string[], signal: AbortSignal): Promise<(FileIdentity | undefined)[]>;
  /** SHA-256 in hex of parts of them. */
  digest(files: readonly FileParts[], signal: AbortSignal): Promise<(readonly string[] | undefined)[]>;
}

/**
 * Works on files of which there are many, in a thread of its own: a disk that sleeps holds up neither what is
 * talked with peers nor the work on pieces. It starts with its first job. Tells for each file whether it was done; none is
 * when the thread has ended: then it is done the usual way, which finds what was made already.
 */
export class FileThread implements ManyFiles, AsyncDisposable {
  readonly #threads = new WorkerThreads<FileJob, FileAnswer>({
    name: 'files',
    url: new URL('./file-worker.ts', import.meta.url),
    most: 1,
    here: () => [],
  });

  async run(job: SmallFilesJob): Promise<readonly boolean[]> {
    await this.#threads.start();
    const answers = await this.#threads.run(job);
    return answers.map((answer) => answer === true);
  }

  sync(files: readonly WrittenFile[], signal: AbortSignal): Promise<(FileIdentity | string | undefined)[]> {
    return this.#each<FileIdentity | string, WrittenFile>(files, (part) => ({ kind: 'sync', files: part }), signal);
  }

  look(paths: readonly string[], signal: AbortSignal): Promise<(FileIdentity | undefined)[]> {
    return this.#each<FileIdentity, string>(paths, (part) => ({ kind: 'look', paths: part }), signal);
  }

  digest(files: readonly FileParts[], signal: AbortSignal): Promise<(readonly string[] | undefined)[]> {
    return this.#each<readonly string[], FileParts>(files, (part) => ({ kind: 'digest', files: part }), signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#threads[Symbol.asyncDispose]();
  }

  async #each<Answer, File>(
    files: readonly File[],
    jobOf: (part: readonly File[]) => FileJob,
    signal: AbortSignal,
  ): Promise<(Answer | undefined)[]> {
    if (files.length < FEWEST) return files.map(() => undefined);
    await this.#threads.start(signal);
    const answers: (Answer | undefined)[] = [];
    for (let from = 0; from < files.length; from += AT_ONCE) {
      signal.throwIfAborted();
      const part = files.slice(from, from + AT_ONCE);
      const done = await this.#threads.run(jobOf(part));
      for (let index = 0; index < part.length; index += 1) answers.push((done[index] as Answer | null) ?? undefined);
    }
    return answers;
  }
}
