import { backoffDelay } from '../src/base/backoff.ts';
import type { Clock } from '../src/base/clock.ts';
import type { ErrorCode } from '../src/base/errors.ts';
import { Emitter } from '../src/base/emitter.ts';
import { ENGINE_OPTIONS } from '../src/engine/process-launcher.ts';
import type { FromEngine, ToEngine } from './engine-messages.ts';
import { fromEngineSchema } from './engine-messages.ts';
import type { SecretSealer } from './secret-sealer.ts';
import { endNow, UtilityChildren } from './utility-children.ts';
import type { UtilityChild, UtilityForker } from './utility-forker.ts';

const RESTART = { baseMs: 250, maxMs: 15_000 };
/** An engine that ran this long had a good start: its next end is a first one again. */
const SETTLED_MS = 60_000;
const STOP_MS = 5000;
const ANSWER_MS = 2000;

/** Where a running engine is. */
export interface EngineAddress {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  readonly port: number;
  readonly token: string;
  /** The address that opens the UI, with its token. */
  readonly url: string;
}

export type EngineState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'running'; readonly address: EngineAddress }
  /** It ended by itself and is about to be started again; the page says so and waits. */
  | { readonly kind: 'restarting'; readonly address: EngineAddress }
  | { readonly kind: 'failed'; readonly code: ErrorCode }
  | { readonly kind: 'stopped' };

interface EngineProcessDeps<Port> {
  /** undefined = the platform's data folder. */
  readonly profile: string | undefined;
  /** Nobody said for whom the application is started: the page asks. */
  readonly asksWho: boolean;
  readonly forker: UtilityForker<Port>;
  readonly sealer: SecretSealer;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
}

type Outcome = { readonly kind: 'ended' } | { readonly kind: 'failed'; readonly code: ErrorCode };

/** Keeps the engine running: after a crash it comes back under the same address, so that the open page finds it. */
export class EngineProcess<Port> {
  readonly onState = new Emitter<EngineState>();
  readonly #deps: EngineProcessDeps<Port>;
  readonly #stopping = new AbortController();
  readonly #questions = new Map<number, (names: readonly string[]) => void>();
  #state: EngineState = { kind: 'starting' };
  #child: UtilityChild<Port> | undefined;
  #done: Promise<void> = Promise.resolve();
  #nextId = 0;

  constructor(deps: EngineProcessDeps<Port>) {
    this.#deps = deps;
  }

  get state(): EngineState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  start(): void {
    this.#done = this.#keepRunning();
  }

  /** Names of items that only this computer is known to have; none when the engine cannot tell in time. */
  async onlyCopies(): Promise<readonly string[]> {
    if (this.#state.kind !== 'running') return [];
    const id = this.#nextId;
    this.#nextId += 1;
    const answer = new Promise<readonly string[]>((resolve) => this.#questions.set(id, resolve));
    this.#tell({ kind: 'only-copies', id });
    const answered = new AbortController();
    const late = this.#deps.clock.sleep(ANSWER_MS, answered.signal).then(
      () => [],
      () => [],
    );
    const names = await Promise.race([answer, late]);
    answered.abort();
    this.#questions.delete(id);
    return names;
  }

  /** Asks the engine to end and resolves when it has; after 5 s it is ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#tell({ kind: 'stop' });
    const over = new AbortController();
    const late = this.#deps.clock.sleep(STOP_MS, over.signal).then(
      () => this.#child !== undefined && endNow(this.#child),
      () => undefined,
    );
    await this.#done;
    over.abort();
    await late;
    this.#change({ kind: 'stopped' });
  }

  async #keepRunning(): Promise<void> {
    const { clock, random } = this.#deps;
    let attempt = 0;
    let address: EngineAddress | undefined;
    while (!this.#stopping.signal.aborted) {
      const startedAt = clock.monotonic();
      const outcome = await this.#runOnce(address);
      if (this.#stopping.signal.aborted) return;
      const last = this.#state;
      address = last.kind === 'running' || last.kind === 'restarting' ? last.address : undefined;
      // Somebody else may have taken the port meanwhile: then a new address is better than none.
      if (outcome.kind === 'failed' && outcome.code === 'conflict' && address !== undefined) address = undefined;
      else if (outcome.kind === 'failed') return this.#change({ kind: 'failed', code: outcome.code });
      else if (address === undefined) return this.#change({ kind: 'failed', code: 'internal' });
      else this.#change({ kind: 'restarting', address });
      if (clock.monotonic() - startedAt >= SETTLED_MS) attempt = 0;
      try {
        await clock.sleep(backoffDelay(attempt, RESTART, random), this.#stopping.signal);
      } catch {
        // Stopped while waiting.
        return;
      }
      attempt += 1;
    }
  }

  /** Resolves when the process is gone. */
  #runOnce(address: EngineAddress | undefined): Promise<Outcome> {
    const { forker, clock, profile, asksWho } = this.#deps;
    const child = forker.fork('engine.js', {
      args: [],
      execArgv: ENGINE_OPTIONS,
      serviceName: 'Spherecast engine',
    });
    this.#child = child;
    const children = new UtilityChildren<Port>({
      forker,
      clock,
      tell: (message, ports) => {
        if (this.#child === child) child.postMessage(message, ports);
      },
    });
    let outcome: Outcome = { kind: 'ended' };
    child.on('message', (data) => {
      const { data: message } = fromEngineSchema.safeParse(data);
      // The engine speaks with strangers: what it cannot have meant is not acted on.
      if (message === undefined) return;
      if (message.kind === 'failed') {
        outcome = message;
        endNow(child);
      } else this.#hear(message, children);
    });
    const { port = null, token = null } = address ?? {};
    child.postMessage({ kind: 'start', profile: profile ?? null, port, token, asksWho } satisfies ToEngine);
    return new Promise((resolve) => {
      child.once('exit', () => {
        this.#child = undefined;
        void children.orphan();
        for (const answer of this.#questions.values()) answer([]);
        resolve(outcome);
      });
    });
  }

  #hear(message: Exclude<FromEngine, { kind: 'failed' }>, children: UtilityChildren<Port>): void {
    if (message.kind === 'ready') {
      const { origin, port, token, url } = message;
      this.#change({ kind: 'running', address: { origin, port, token, url } });
    } else if (message.kind === 'only-copies') this.#questions.get(message.id)?.(message.names);
    else if (message.kind === 'launch') children.launch(message);
    else if (message.kind === 'kill') children.kill(message.id);
    else void this.#seal(message);
  }

  async #seal({ kind, id, text }: Extract<FromEngine, { kind: 'seal' | 'unseal' }>): Promise<void> {
    const { sealer } = this.#deps;
    const answer = await (kind === 'seal' ? sealer.seal(text) : sealer.unseal(text));
    this.#tell({ kind: 'sealed', id, text: answer });
  }

  #tell(message: ToEngine): void {
    this.#child?.postMessage(message);
  }

  #change(state: EngineState): void {
    this.#state = state;
    this.onState.emit(state);
  }
}

/** The address of an engine that was running at some time. */
export function addressOf(state: EngineState): EngineAddress | undefined {
  return state.kind === 'running' || state.kind === 'restarting' ? state.address : undefined;
}
