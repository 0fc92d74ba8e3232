import type { Emitter } from '../base/emitter.ts';
import type { AppError } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { Line } from './deadline.ts';
import type { Element } from './element.ts';

/** `failed` needs the user (a new password); in all other states the client goes on by itself. */
export type XmppState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'online'; readonly resumed: boolean }
  | { readonly kind: 'offline'; readonly error: AppError }
  | { readonly kind: 'failed'; readonly error: AppError };

export interface IqRequest {
  readonly type: 'get' | 'set';
  /** The full address that asks; our own account when the server named none. */
  readonly from: string;
  readonly payload: Element;
}

/** Gives the payload of the answer, undefined for an empty one. An AppError becomes the error of its code. */
export type IqHandler = (request: IqRequest) => Promise<Element | undefined> | Element | undefined;

/** What the extensions and rooms need of a client. */
export interface XmppPort extends Line {
  readonly jid: BareJid;
  /** Empty before the first connection. */
  readonly fullJid: string;
  readonly domain: string;
  readonly state: XmppState;
  readonly onState: Emitter<XmppState>;
  /** Messages and presence whose author was checked; `from` is always there. */
  readonly onStanza: Emitter<Element>;
  /** A new id that nobody can guess, for stanzas and queries. */
  newId(): string;
  /** A random number in [0, 1), for spreading retries. */
  jitter(): number;
  /** Resolves when the stanza is written. Rejects with `disconnected` unless online, `too-large`, `bad-input`. */
  send(stanza: Element): Promise<void>;
  /** Resolves when the server has acknowledged the stanza. Rejects with `disconnected` when it may be lost. */
  sendConfirmed(stanza: Element, signal?: AbortSignal): Promise<void>;
  /**
   * Resolves with the answering stanza. `to` undefined asks our own account. `onAnswer` hears of any answer, a refusal as well, before
   * a stanza that came behind it is told.
   */
  iq(
    type: 'get' | 'set',
    to: string | undefined,
    payload: Element,
    signal?: AbortSignal,
    onAnswer?: () => void,
  ): Promise<Element>;
  handleIq(type: 'get' | 'set', xmlns: string, name: string, handler: IqHandler): Disposable;
  /** Takes the results of one archive query (XEP-0313); `archive` is a bare address. */
  openArchiveQuery(archive: string, queryId: string, onResult: (message: Element) => void): Disposable;
}
