import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import { type Line, withPatience } from './deadline.ts';
import { attr, type Element } from './element.ts';
import { stanzaError } from './stanza-error.ts';
import { readOriginId } from './xep/0359-stanza-ids.ts';

const ECHO_MS = 20_000;
/** After so long the room is asked something: its answer comes after what it sent back before. */
const ASK_MS = 3_000;
/** Where a service has several computers, one may be a little late. */
const GRACE_MS = 1_000;
const MAX_REMEMBERED = 1000;
/** Without a reason of our own each message would make an error, with its stack. */
const OVER = new Error('the room has taken it, or not');

interface ReflectionsDeps {
  readonly clock: Clock;
  readonly line: Line;
  /** Asks the room whether we are in it; false when it gives no answer. */
  readonly ask: (signal: AbortSignal) => Promise<boolean>;
}

interface Pending {
  readonly resolve: (stanzaId: string | null) => void;
  readonly reject: (error: AppError) => void;
}

/** Our messages on their way through a room and back: only then has the room taken them. */
export class Reflections {
  readonly #deps: ReflectionsDeps;
  readonly #pending = new Map<string, Pending>();
  readonly #sent = new Set<string>();

  constructor(deps: ReflectionsDeps) {
    this.#deps = deps;
  }

  /** Resolves with the room's id for the message, null when it gives none; `timed-out` when it does not come back. */
  async expect(stanza: Element, send: () => Promise<void>, signal?: AbortSignal): Promise<string | null> {
    const id = this.note(stanza);
    const { promise, resolve, reject } = Promise.withResolvers<string | null>();
    // The room may refuse before the write has ended.
    promise.catch(() => undefined);
    this.#pending.set(id, { resolve, reject });
    const { clock, line } = this.#deps;
    const over = new AbortController();
    try {
      return await withPatience(clock, { ms: ECHO_MS, line }, signal, async () => {
        await send();
        return await Promise.race([promise, this.#swallowed(over.signal)]);
      });
    } finally {
      this.#pending.delete(id);
      over.abort(OVER);
    }
  }

  /** Rejects when the room answers what it was asked later. All that is to be sent waits for its word. */
  async #swallowed(end: AbortSignal): Promise<never> {
    const { clock, line, ask } = this.#deps;
    await clock.sleep(ASK_MS + line.lateMs, end);
    if (!(await ask(end))) return await new Promise<never>(() => undefined);
    await clock.sleep(GRACE_MS, end);
    throw new AppError('timed-out', 'the room answers and has not sent it back');
  }

  /** Remembers a message as ours, and gives its id. */
  note(stanza: Element): string {
    const id = attr(stanza, 'id');
    if (id === undefined) throw new AppError('internal', 'a message for a room needs an id');
    this.#sent.add(id);
    const [oldest] = this.#sent;
    if (this.#sent.size > MAX_REMEMBERED && oldest !== undefined) this.#sent.delete(oldest);
    return id;
  }

  /** Whether a message under our own nick is one of ours. A room may rewrite the id and keeps the origin id. */
  settle(stanza: Element, stanzaId: string | null): boolean {
    const id = [readOriginId(stanza), attr(stanza, 'id')].find((entry) => entry !== undefined && this.#sent.has(entry));
    if (id === undefined) return false;
    this.#pending.get(id)?.resolve(stanzaId);
    return true;
  }

  /** The room has answered one of our messages with an error. */
  refuse(stanza: Element): void {
    const id = attr(stanza, 'id');
    if (id !== undefined) this.#pending.get(id)?.reject(stanzaError(stanza));
  }

  /** The messages under way went into a session that is gone. */
  failAll(error: AppError): void {
    for (const { reject } of this.#pending.values()) reject(error);
  }
}
