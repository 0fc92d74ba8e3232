import type { AnyContractRouter, ContractRouterClient } from '@orpc/contract';
import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { ErrorCode } from '../base/errors.ts';
import { AppError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { Scope } from '../base/scope.ts';
import { connectChannel } from '../contract/process-channel.ts';
import type { LaunchedProcess, ProcessLauncher } from './process-launcher.ts';

const HEARTBEAT_MS = 5000;
const PART_MS = 1000;
/**
 * From the start to the first answer, which takes 0.4 s, and 2 s where eight processes start on two processors.
 * Doubled with every attempt: a machine that needs longer must not end its own process for ever.
 */
const START = { baseMs: 15_000, maxMs: 45_000 };
const STOP_MS = 2000;
const RESTART = { baseMs: 250, maxMs: 30_000 };
/** A process that ran this long had a good start: its next death is a first one again. */
const SETTLED_MS = 60_000;

interface ChildProcessDeps<Contract extends AnyContractRouter> {
  readonly name: string;
  readonly entry: URL;
  readonly launcher: ProcessLauncher;
  readonly clock: Clock;
  readonly log: Logger;
  /** The code of calls that meet a dead process. */
  readonly closedCode: ErrorCode;
  readonly maxHeapMb?: number;
  /** It is started once somebody waits for it. */
  readonly isOnDemand?: boolean;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** A cheap call; a process that leaves it unanswered for 5 s (its first one for 15 s) is ended and replaced. */
  readonly heartbeat?: (client: ContractRouterClient<Contract>, signal: AbortSignal) => Promise<unknown>;
  /**
   * Runs beside each process, the first and every later one: feeds it its state and listens to its
   * events. The signal aborts when this process is gone.
   */
  readonly attend?: (client: ContractRouterClient<Contract>, signal: AbortSignal) => Promise<void>;
  /** Asks the process to end by itself when the engine stops. */
  readonly stop?: (client: ContractRouterClient<Contract>) => Promise<unknown>;
}

interface Running<Contract extends AnyContractRouter> {
  readonly process: LaunchedProcess;
  readonly client: ContractRouterClient<Contract>;
}

/** A process whose life is told by its answers. */
interface Watched {
  readonly process: LaunchedProcess;
  readonly beat: (gone: AbortSignal) => Promise<unknown>;
  readonly startMs: number;
}

/** Keeps one child process alive: restarts it after a crash or a hang until disposed. */
export class ChildProcess<Contract extends AnyContractRouter> implements AsyncDisposable {
  readonly #deps: ChildProcessDeps<Contract>;
  readonly #scope: Scope;
  #running: Running<Contract> | undefined;
  readonly #waiting = new Set<() => void>();
  #stopping = false;
  #isBegun = false;

  constructor(deps: ChildProcessDeps<Contract>) {
    this.#deps = deps;
    this.#scope = new Scope({ log: deps.log });
    if (deps.isOnDemand !== true) this.#begin();
  }

  /** The client of the process that runs now; throws the closed code between two of them. */
  get client(): ContractRouterClient<Contract> {
    if (this.#running === undefined) {
      throw new AppError(this.#deps.closedCode, `the ${this.#deps.name} process does not run`);
    }
    return this.#running.client;
  }

  /** The client of the process that runs now, or of the next one. */
  async ready(signal: AbortSignal): Promise<ContractRouterClient<Contract>> {
    this.#begin();
    while (this.#running === undefined) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    return this.#running.client;
  }

  get pid(): number | undefined {
    return this.#running?.process.pid;
  }

  /** Ends the process that runs now; a new one follows. */
  restart(): void {
    if (this.#running !== undefined) this.#end(this.#running.process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    await this.#askToStop();
    await this.#scope[Symbol.asyncDispose]();
  }

  #begin(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#scope.spawn(`${this.#deps.name} process`, (signal) => this.#keepAlive(signal));
  }

  async #askToStop(): Promise<void> {
    const { stop, clock, log, name } = this.#deps;
    const running = this.#running;
    if (running === undefined || stop === undefined) return;
    const abort = new AbortController();
    try {
      await Promise.race([stop(running.client), clock.sleep(STOP_MS, abort.signal)]);
    } catch (error) {
      // It is killed in any case.
      log.debug('process did not stop by itself', { process: name, error });
    } finally {
      abort.abort();
    }
  }

  async #keepAlive(signal: AbortSignal): Promise<void> {
    const { clock, log, name } = this.#deps;
    let attempt = 0;
    while (!signal.aborted && !this.#stopping) {
      const startedAt = clock.monotonic();
      const how = await this.#runOnce(Math.min(START.maxMs, START.baseMs * 2 ** Math.min(attempt, 8)), signal);
      if (signal.aborted || this.#stopping) return;
      if (clock.monotonic() - startedAt >= SETTLED_MS) attempt = 0;
      log.warn('process ended', { process: name, ...how, attempt });
      await clock.sleep(backoffDelay(attempt, RESTART, this.#deps.random), signal);
      attempt += 1;
    }
  }

  /** Starts the process, which must answer within `startMs`, and resolves when it is gone. */
  async #runOnce(startMs: number, signal: AbortSignal): Promise<{ code: number | null; signal: string | null }> {
    const { launcher, entry, closedCode, maxHeapMb, attend, heartbeat, log } = this.#deps;
    const process = launcher.launch(entry, maxHeapMb === undefined ? {} : { maxHeapMb });
    const client = connectChannel<Contract>(process.channel, closedCode);
    this.#running = { process, client };
    // The channel closes before the exit is known; from then on there is nobody to ask.
    process.channel.onClose(() => this.#forget(process));
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
    const kill = (): void => process.kill();
    signal.addEventListener('abort', kill, { once: true });
    await using tasks = new Scope({ log });
    if (attend !== undefined) tasks.spawn('attend', (gone) => this.#attend(() => attend(client, gone), process));
    if (heartbeat !== undefined) {
      const watched = { process, beat: (gone: AbortSignal) => heartbeat(client, gone), startMs };
      tasks.spawn('heartbeat', (gone) => this.#watch(watched, gone));
    }
    try {
      return await new Promise((resolve) => process.onExit(resolve));
    } finally {
      signal.removeEventListener('abort', kill);
      this.#forget(process);
    }
  }

  /** From the decision on nobody gets this process any more. */
  #end(process: LaunchedProcess): void {
    this.#forget(process);
    process.kill();
  }

  #forget(process: LaunchedProcess): void {
    if (this.#running?.process === process) this.#running = undefined;
  }

  /** A process that could not be fed its state is useless: it is replaced. */
  async #attend(attend: () => Promise<void>, process: LaunchedProcess): Promise<void> {
    try {
      await attend();
    } catch (error) {
      // Its calls failed because it is gone: that is told where its end is noticed.
      if (this.#stopping || this.#running?.process !== process) return;
      this.#end(process);
      throw error;
    }
  }

  async #watch({ process, beat, startMs }: Watched, gone: AbortSignal): Promise<void> {
    const { clock, log, name } = this.#deps;
    for (let ms = startMs; !gone.aborted; ms = HEARTBEAT_MS) {
      if (!(await this.#answers(beat, ms, gone))) {
        log.warn('process does not answer', { process: name, ms });
        this.#end(process);
        return;
      }
      await clock.sleep(HEARTBEAT_MS, gone);
    }
  }

  /** Whether it answers within `ms`; a failed call of a process that is gone needs nobody's attention. */
  async #answers(beat: Watched['beat'], ms: number, gone: AbortSignal): Promise<boolean> {
    const over = new AbortController();
    const late = this.#pass(ms, AbortSignal.any([gone, over.signal])).then(
      () => false,
      () => true,
    );
    const answer = beat(gone).then(
      () => true,
      () => gone.aborted,
    );
    try {
      return await Promise.race([answer, late]);
    } finally {
      over.abort();
    }
  }

  /** In parts: while we stand still ourselves, for whatever reason, an answer waits to be read and only one part passes. */
  async #pass(ms: number, signal: AbortSignal): Promise<void> {
    for (let left = ms; left > 0; left -= PART_MS) await this.#deps.clock.sleep(Math.min(PART_MS, left), signal);
  }
}
