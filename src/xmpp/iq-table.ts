// RFC 6120: XMPP Core, §8.2.3
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { RandomBytes } from '../base/random.ts';
import { type Line, withPatience } from './deadline.ts';
import { attr, type Element, xml } from './element.ts';
import { sameJid } from './jid.ts';
import { stanzaError } from './stanza-error.ts';
import { isDropped } from './stream-parser.ts';

const ANSWER_MS = 15_000;

interface Request {
  readonly type: 'get' | 'set';
  readonly to: string | undefined;
  readonly payload: Element;
  readonly onAnswer?: (() => void) | undefined;
}

interface Pending {
  readonly to: string | undefined;
  /** How often the asked address has sent a part of what was asked for. */
  parts: number;
  readonly onAnswer: (() => void) | undefined;
  readonly resolve: (answer: Element) => void;
  readonly reject: (error: AppError) => void;
}

/** Requests that wait for their answer. Only the asked address can answer, and only by an id that nobody can guess. */
export class IqTable {
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #line: Line;
  readonly #pending = new Map<string, Pending>();

  constructor(deps: { clock: Clock; random: RandomBytes; line: Line }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#line = deps.line;
  }

  /** Sends a request and waits for the answer: the whole result stanza. `onAnswer` hears of it before any stanza behind it is read. */
  async request(send: (stanza: Element) => Promise<void>, request: Request, signal?: AbortSignal): Promise<Element> {
    signal?.throwIfAborted();
    const { type, to, payload, onAnswer } = request;
    const id = toHex(this.#random(12));
    const { promise, resolve, reject } = Promise.withResolvers<Element>();
    // The connection may end while the request is being written, before anybody waits for the answer.
    promise.catch(() => undefined);
    const pending: Pending = { to, parts: 0, onAnswer, resolve, reject };
    this.#pending.set(id, pending);
    const limit = { ms: ANSWER_MS, line: this.#line };
    const sent = send(xml('iq', { type, id, to }, payload));
    try {
      for (;;) {
        const { parts } = pending;
        try {
          return await withPatience(this.#clock, limit, signal, () => sent.then(() => promise));
        } catch (error) {
          if (errorCode(error) !== 'timed-out' || pending.parts === parts) throw error;
        }
      }
    } finally {
      this.#pending.delete(id);
    }
  }

  /** A part of what was asked of `to` came: on a slow line a page of an archive takes longer than one stanza. */
  prolong(to: string | undefined): void {
    for (const pending of this.#pending.values()) if (pending.to === to) pending.parts += 1;
  }

  /** Whether the stanza answered one of our requests. `own` is our full address. */
  settle(stanza: Element, own: { readonly bare: string; readonly full: string; readonly domain: string }): boolean {
    const id = attr(stanza, 'id');
    const pending = id === undefined ? undefined : this.#pending.get(id);
    if (id === undefined || pending === undefined) return false;
    if (!mayAnswer(attr(stanza, 'from'), pending.to, own)) return false;
    this.#pending.delete(id);
    pending.onAnswer?.();
    if (isDropped(stanza)) pending.reject(new AppError('too-large', 'the answer is over the limits'));
    else if (attr(stanza, 'type') === 'error') pending.reject(stanzaError(stanza));
    else pending.resolve(stanza);
    return true;
  }

  failAll(error: AppError): void {
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
  }
}

/** RFC 6120 §8.1.2.1: no author means our own account, and a request without address is answered by it. */
function mayAnswer(
  from: string | undefined,
  to: string | undefined,
  own: { readonly bare: string; readonly full: string; readonly domain: string },
): boolean {
  if (to === undefined) {
    return from === undefined || [own.bare, own.full, own.domain].some((address) => sameJid(address, from));
  }
  return from === undefined ? sameJid(to, own.bare) : sameJid(from, to);
}
