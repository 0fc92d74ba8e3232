import { backoffDelay } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { AppEvent, Snapshot } from '../../contract/views.ts';
import { toAppError } from '../failure.ts';
import type { EngineClient, OpenTransport, Transport } from './engine-client.ts';

export type ConnectionState =
  | { readonly kind: 'connecting'; readonly attempt: number }
  | { readonly kind: 'online' }
  | { readonly kind: 'restarting'; readonly attempt: number }
  /** The page has no session any more: only opening Spherecast again helps. */
  | { readonly kind: 'refused' };

export interface EngineListener {
  onState(state: ConnectionState): void;
  onSnapshot(snapshot: Snapshot): void;
  onEvent(event: AppEvent): void;
}

interface ConnectionDeps {
  readonly open: OpenTransport;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly listener: EngineListener;
}

/** The engine is on this machine: asking often costs nothing. */
const RETRY = { baseMs: 300, maxMs: 1_500 };

/** A restart takes seconds; after this many attempts, a quarter of a minute, somebody has ended the engine. */
const PATIENCE = 14;

/** Whether the engine that was there is gone for longer than a restart takes. */
export function isGone(state: ConnectionState): boolean {
  return state.kind === 'restarting' && state.attempt >= PATIENCE;
}

/** Keeps one line to the engine, for ever: snapshot, then events from its number on, then again from the start. */
export class EngineConnection implements Disposable {
  readonly #deps: ConnectionDeps;
  readonly #stop = new AbortController();
  /** Ends the calls that wait for an answer on the line. */
  readonly #waiting = new Set<(reason: AppError) => void>();
  #transport: Transport | null = null;
  #wake: AbortController | null = null;
  #wasOnline = false;

  constructor(deps: ConnectionDeps) {
    this.#deps = deps;
  }

  /** Runs until disposed or refused. */
  async run(): Promise<void> {
    const { signal } = this.#stop;
    let attempt = 0;
    this.#deps.listener.onState({ kind: 'connecting', attempt });
    while (!signal.aborted) {
      try {
        await this.#session(signal, () => {
          attempt = 0;
        });
      } catch (error) {
        if (signal.aborted) return;
        if (toAppError(error).code === 'not-allowed') {
          this.#deps.listener.onState({ kind: 'refused' });
          return;
        }
        // Every other failure is answered by trying again; the state tells the person.
      }
      this.#deps.listener.onState({ kind: this.#wasOnline ? 'restarting' : 'connecting', attempt });
      await this.#pause(backoffDelay(attempt, RETRY, this.#deps.random), signal);
      attempt += 1;
    }
  }

  /** Tries again at once instead of waiting for the next attempt. */
  retryNow(): void {
    this.#wake?.abort();
  }

  /** Asks the engine; rejects with an AppError, `disconnected` when the line is or gets lost. */
  async call<T>(ask: (client: EngineClient) => Promise<T>): Promise<T> {
    const transport = this.#transport;
    if (transport === null) throw new AppError('disconnected', 'no line to the engine');
    // Not the line's own promise: it lives as long as the line and would keep every answer in memory.
    const { promise: gone, reject } = Promise.withResolvers<never>();
    this.#waiting.add(reject);
    try {
      return await Promise.race([ask(transport.client), gone]);
    } catch (error) {
      if (this.#transport !== transport) throw new AppError('disconnected', 'the line was lost', {}, error);
      throw toAppError(error);
    } finally {
      this.#waiting.delete(reject);
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#transport?.close();
  }

  async #session(signal: AbortSignal, onOnline: () => void): Promise<void> {
    const transport = await this.#deps.open(signal);
    this.#transport = transport;
    const events = new AbortController();
    let reason: AppError | null = null;
    const gone = lost(transport);
    gone.catch((error: unknown) => {
      reason = toAppError(error);
      this.#drop(transport, reason);
    });
    try {
      for (;;) {
        const snapshot = await Promise.race([transport.client.system.snapshot(), gone]);
        this.#deps.listener.onSnapshot(snapshot);
        this.#wasOnline = true;
        onOnline();
        this.#deps.listener.onState({ kind: 'online' });
        await Promise.race([this.#follow(transport, snapshot.seq, events.signal), gone]);
      }
    } catch (error) {
      // A call that failed because the line went says less than the line itself.
      throw reason ?? error;
    } finally {
      this.#drop(transport, new AppError('disconnected', 'the line was given up'));
      events.abort();
      transport.close();
    }
  }

  /** The line is not to be used any more; a newer one stays. */
  #drop(transport: Transport, reason: AppError): void {
    if (this.#transport !== transport) return;
    this.#transport = null;
    for (const end of this.#waiting) end(reason);
  }

  /** Returns when the engine no longer has the events we need, so that a new snapshot is taken. */
  async #follow(transport: Transport, since: number, signal: AbortSignal): Promise<void> {
    let last = since;
    try {
      for await (const { seq, event } of await transport.client.system.events({ since }, { signal })) {
        if (seq <= last) continue;
        last = seq;
        this.#deps.listener.onEvent(event);
      }
    } catch (error) {
      const failure = toAppError(error);
      if (failure.code !== 'conflict') throw failure;
      return;
    }
    throw new AppError('disconnected', 'the engine ended its events');
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    this.#wake = new AbortController();
    try {
      await this.#deps.clock.sleep(ms, AbortSignal.any([signal, this.#wake.signal]));
    } catch {
      // Woken up or stopped: the loop looks at the signal itself.
    }
    this.#wake = null;
  }
}

async function lost(transport: Transport): Promise<never> {
  throw await transport.closed;
}
