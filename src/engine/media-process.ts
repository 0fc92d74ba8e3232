import type { ContractRouterClient } from '@orpc/contract';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import type { MediaContract, Preview, Probe } from '../contract/media.ts';
import { ChildProcess } from './child-process.ts';
import type { ProcessLauncher } from './process-launcher.ts';

/** The process itself gives up after 20 s; this is for one that cannot even do that. */
const PER_FILE_MS = 25_000;
const MAX_HEAP_MB = 256;

const DEFAULT_ENTRY = new URL('../media/main.ts', import.meta.url);

/** The media process as the engine uses it: one file at a time, and a file that kills it is simply unknown. */
export class MediaProcess implements AsyncDisposable {
  readonly #child: ChildProcess<MediaContract>;
  readonly #queue = new SerialQueue();
  readonly #clock: Clock;
  readonly #log: Logger;

  constructor(deps: { launcher: ProcessLauncher; clock: Clock; log: Logger; random: () => number; entry?: URL }) {
    this.#clock = deps.clock;
    this.#log = deps.log.child('media');
    this.#child = new ChildProcess<MediaContract>({
      name: 'media',
      entry: deps.entry ?? DEFAULT_ENTRY,
      launcher: deps.launcher,
      clock: deps.clock,
      log: this.#log,
      random: deps.random,
      closedCode: 'disconnected',
      maxHeapMb: MAX_HEAP_MB,
    });
  }

  /** What the file is; null when looking at it took the process with it. */
  probe(path: string, signal: AbortSignal): Promise<Probe | null> {
    return this.#ask((client, limited) => client.probe({ path }, { signal: limited }), signal);
  }

  /** A small picture of the file; null when there is none to draw. */
  preview(path: string, signal: AbortSignal): Promise<Preview | null> {
    return this.#ask((client, limited) => client.preview({ path }, { signal: limited }), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }

  #ask<T>(
    call: (client: ContractRouterClient<MediaContract>, signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T | null> {
    return this.#queue.run(async () => {
      signal.throwIfAborted();
      const limit = new AbortController();
      const limited = AbortSignal.any([signal, limit.signal]);
      const late = this.#clock.sleep(PER_FILE_MS, limited).then(() => {
        throw new AppError('timed-out', 'the file takes too long');
      });
      try {
        const answer = this.#child.ready(limited).then((client) => call(client, limited));
        return await Promise.race([answer, late]);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof AppError && error.code === 'timed-out') this.#child.restart();
        if (error instanceof AppError && error.code === 'file-missing') throw error;
        this.#log.warn('a file could not be looked at', { error });
        return null;
      } finally {
        limit.abort();
        // The sleeper rejects with the abort above; nobody waits for it any more.
        late.catch(() => undefined);
      }
    });
  }
}
