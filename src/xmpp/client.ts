// RFC 6120: XMPP Core
import { backoffDelay } from '../base/backoff.ts';
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import { Scope } from '../base/scope.ts';
import { judgeStanza } from './authority.ts';
import { connectAccount } from './connect.ts';
import { withDeadline } from './deadline.ts';
import { attr, type Element } from './element.ts';
import { IqHandlers } from './iq-handlers.ts';
import { IqTable } from './iq-table.ts';
import { domainOf } from './jid.ts';
import type { XmppLogin } from './login.ts';
import { Outgoing } from './outgoing.ts';
import type { IqHandler, XmppPort, XmppState } from './port.ts';
import { RetryPace } from './retry-pace.ts';
import type { SrvResolver } from './server-address.ts';
import type { ConnectionTraits, Resumption, Session } from './session.ts';
import { isDropped } from './stream-parser.ts';
import { ping } from './xep/0199-ping.ts';

const PING_MS = 60_000;
/** The answer time of a connection that is in doubt. */
const CHECK_MS = 3000;
/** A server that is just starting refuses good passwords too; so rarely, nothing locks the account. */
const REFUSED = { baseMs: 3_600_000, maxMs: 3_600_000 };
/** An attempt younger than this was begun in the network of now. */
const YOUNG_MS = 1000;

interface ClientDeps {
  readonly login: XmppLogin;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly resolver?: SrvResolver;
}

/** One account's connection to its server, kept up until it is disposed; rarely tried while the password is refused. */
export class XmppClient implements XmppPort, AsyncDisposable {
  readonly jid: BareJid;
  readonly domain: string;
  readonly onState: Emitter<XmppState>;
  readonly onStanza: Emitter<Element>;
  #deps: ClientDeps;
  readonly #log: Logger;
  readonly #scope: Scope;
  readonly #iqs: IqTable;
  readonly #outgoing: Outgoing;
  readonly #handlers: IqHandlers;
  readonly #queries = new Map<string, { readonly archive: string; readonly onResult: (message: Element) => void }>();
  #state: XmppState = { kind: 'offline', error: new AppError('disconnected', 'not connected yet') };
  #session: Session | undefined;
  #resumption: Resumption | undefined;
  #fullJid = '';
  readonly #pace: RetryPace;
  #attempt = { sinceMs: 0, over: new AbortController() };
  #isChecking = false;
  #isSupervised = false;
  #refused = 0;

  constructor(deps: ClientDeps) {
    this.#deps = deps;
    this.jid = deps.login.jid;
    this.domain = domainOf(deps.login.jid);
    this.#log = deps.log.child('xmpp');
    const onError = (error: unknown): void => this.#log.error('a listener failed', { error });
    this.onState = new Emitter(onError);
    this.onStanza = new Emitter(onError);
    this.#scope = new Scope({ log: this.#log });
    this.#iqs = new IqTable({ ...deps, line: this });
    this.#handlers = new IqHandlers({ own: this.jid, log: this.#log });
    this.#outgoing = new Outgoing();
    this.#pace = new RetryPace({ clock: deps.clock, jitter: () => this.jitter() });
  }

  get state(): XmppState {
    return this.#state;
  }

  get fullJid(): string {
    return this.#fullJid;
  }

  get heard(): number {
    return this.#session?.heard ?? 0;
  }

  get lateMs(): number {
    return this.#session?.lateMs ?? 0;
  }

  /** What the connection of this moment is like; null while there is none. */
  get connection(): ConnectionTraits | null {
    return this.#session?.traits ?? null;
  }

  /** Whether the server was reached at a port that networks close which let only the web out. */
  get dialsFreely(): boolean {
    const port = this.#session?.serverPort;
    return port !== undefined && port !== 80 && port !== 443;
  }

  /** Signs in for the first time. A failure rejects and nothing is retried; after success the connection is kept up. */
  async connect(signal: AbortSignal): Promise<void> {
    if (this.#isSupervised) return;
    const started = AbortSignal.any([signal, this.#scope.signal]);
    try {
      await this.#open(started);
    } catch (error) {
      const known = toAppError(error);
      this.#setState({ kind: isFinal(known) ? 'failed' : 'offline', error: known });
      throw error;
    }
    this.#supervise();
  }

  /** Keeps the connection up from now on, however long the first success takes: for an account known to be good. */
  start(): void {
    if (!this.#isSupervised) this.#supervise();
  }

  /** The account has another password from now on: the connection of now stays, the next one signs in with it. */
  usePassword(password: string): void {
    this.#deps = { ...this.#deps, login: { ...this.#deps.login, password } };
  }

  /** The network may be back: does not wait for the next retry. */
  retryNow(): void {
    this.#pace.hurry();
  }

  /**
   * The network changed, or other connections have fallen silent: a connection that does not answer within three
   * seconds is made anew at once, and an attempt that began in the network of before is not waited for.
   */
  checkNow(): void {
    const session = this.#session;
    if (session !== undefined) {
      if (!this.#isChecking) this.#scope.spawn('check connection', (signal) => this.#check(session, signal));
      return;
    }
    this.#pace.hurry();
    if (this.#deps.clock.monotonic() - this.#attempt.sinceMs >= YOUNG_MS) {
      this.#attempt.over.abort(new AppError('disconnected', 'the network changed'));
    }
  }

  newId(): string {
    return toHex(this.#deps.random(12));
  }

  jitter(): number {
    return randomFraction(this.#deps.random);
  }

  async send(stanza: Element): Promise<void> {
    await this.#outgoing.send(this.#online(), stanza);
  }

  async sendConfirmed(stanza: Element, signal?: AbortSignal): Promise<void> {
    const session = this.#online();
    if (session.acknowledges) {
      await this.#outgoing.sendConfirmed(session, stanza, this.#deps.clock, signal);
      return;
    }
    await this.#outgoing.send(session, stanza);
    // Without acknowledgements, an answer to a later request proves that the server has read the stanza.
    await ping(this, this.domain, signal);
  }

  async iq(...[type, to, payload, signal, onAnswer]: Parameters<XmppPort['iq']>): Promise<Element> {
    return await this.#iqs.request((stanza) => this.send(stanza), { type, to, payload, onAnswer }, signal);
  }

  handleIq(type: 'get' | 'set', xmlns: string, name: string, handler: IqHandler): Disposable {
    return this.#handlers.add({ type, xmlns, name }, handler, this.#session);
  }

  openArchiveQuery(archive: string, queryId: string, onResult: (message: Element) => void): Disposable {
    this.#queries.set(queryId, { archive, onResult });
    return {
      [Symbol.dispose]: () => {
        this.#queries.delete(queryId);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const error = new AppError('disconnected', 'signed out');
    const session = this.#session;
    const stopped = this.#scope[Symbol.asyncDispose]();
    await session?.close();
    await stopped;
    this.#lose(error, false);
    this.#state = { kind: 'offline', error };
  }

  #supervise(): void {
    this.#isSupervised = true;
    this.#scope.spawn('keep connected', (signal) => this.#keepConnected(signal));
  }

  async #keepConnected(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      const session = this.#session;
      if (session !== undefined) {
        const sinceMs = clock.monotonic();
        const error = await this.#outlive(session, signal);
        if (signal.aborted) return;
        this.#lose(error, true, session);
        this.#pace.lost(sinceMs);
        this.#setState({ kind: 'offline', error });
        await this.#pace.next(error, signal);
      }
      const failure = await this.#retry(signal);
      if (failure === 'over') return;
      if (failure === undefined) continue;
      if (!isFinal(failure)) await this.#pace.next(failure, signal);
      else
        await clock
          .sleep(
            backoffDelay(0, REFUSED, () => this.jitter()),
            signal,
          )
          .catch(() => undefined);
    }
  }

  async #check(session: Session, signal: AbortSignal): Promise<void> {
    this.#isChecking = true;
    const { heard } = session;
    try {
      await withDeadline(this.#deps.clock, CHECK_MS, signal, (limited) => ping(this, this.domain, limited));
    } catch (error) {
      if (signal.aborted) return;
      // It broke over the question, so the network may be another one, and waiting is of no use.
      if (this.#session === undefined) this.#pace.hurry();
      if (this.#session !== session) return;
      // On a slow line the answer waits behind a page of the archive.
      if (session.heard > heard) return;
      this.#pace.hurry();
      this.#abandonSilent(session, error);
    } finally {
      this.#isChecking = false;
    }
  }

  /** Why it failed; `over` when nobody needs it any more. */
  async #retry(signal: AbortSignal): Promise<AppError | 'over' | undefined> {
    const over = new AbortController();
    this.#attempt = { sinceMs: this.#deps.clock.monotonic(), over };
    try {
      await this.#open(AbortSignal.any([signal, over.signal]));
      return undefined;
    } catch (error) {
      if (signal.aborted) return 'over';
      const known = toAppError(error);
      this.#log.warn('connecting failed', { error: known });
      if (isFinal(known)) {
        this.#resumption = undefined;
        this.#outgoing.failAll(known);
      }
      // Once refused, the person is told so until the server lets us in.
      if (this.#state.kind !== 'failed') this.#setState({ kind: isFinal(known) ? 'failed' : 'offline', error: known });
      return known;
    }
  }

  async #open(signal: AbortSignal): Promise<void> {
    if (this.#state.kind !== 'failed') this.#setState({ kind: 'connecting' });
    const listener = {
      onStanza: (stanza: Element) => this.#receive(stanza),
      onAck: (stanza: Element) => this.#outgoing.acknowledge(stanza),
      onUnsent: (stanza: Element) => this.#outgoing.fail(stanza),
    };
    let begun: Session | undefined;
    const install = (session: Session): void => {
      begun = session;
      this.#handlers.install(session);
    };
    const deps = { ...this.#deps, log: this.#log, resumption: this.#resumption, listener, install };
    const session = await connectAccount(deps, signal).catch((error: unknown) => {
      // What was counted before is over: resumed by it, the next one would be wrong about what has arrived.
      if (begun?.hasTakenOver === true) this.#resumption = undefined;
      throw error;
    });
    if (signal.aborted) await session.close();
    signal.throwIfAborted();
    this.#session = session;
    this.#fullJid = session.fullJid;
    if (!session.isResumed) this.#outgoing.failAll(new AppError('disconnected', 'the session was not resumed'));
    this.#resumption = undefined;
    this.#log.info('signed in', { resumed: session.isResumed, acknowledges: session.acknowledges });
    this.#setState({ kind: 'online', resumed: session.isResumed });
  }

  /** Waits for the end of the session, and asks a server that acknowledges nothing whether it is still there. */
  async #outlive(session: Session, signal: AbortSignal): Promise<AppError> {
    const over = new AbortController();
    const watch = async (): Promise<never> => {
      for (;;) {
        await this.#deps.clock.sleep(PING_MS, AbortSignal.any([signal, over.signal]));
        if (!session.acknowledges)
          await ping(this, this.domain, signal).catch((error: unknown) => this.#abandonSilent(session, error));
      }
    };
    const watching = watch().catch(() => undefined);
    try {
      return await session.ended;
    } finally {
      over.abort();
      await watching;
    }
  }

  #abandonSilent(session: Session, error: unknown): void {
    if (errorCode(error) === 'timed-out')
      session.abandon(new AppError('disconnected', 'the server is silent', {}, error));
  }

  #lose(error: AppError, mayResume: boolean, session?: Session): void {
    this.#session = undefined;
    this.#resumption = mayResume ? session?.resumption() : undefined;
    this.#iqs.failAll(error);
    if (this.#resumption === undefined) this.#outgoing.failAll(error);
  }

  #online(): Session {
    if (this.#session === undefined || this.#state.kind !== 'online') throw new AppError('disconnected', 'not online');
    return this.#session;
  }

  #receive(stanza: Element): void {
    const verdict = judgeStanza(stanza, {
      own: this.jid,
      isLiveQuery: (queryId, archive) => this.#queries.get(queryId)?.archive === archive,
    });
    if (verdict.kind === 'refuse') {
      this.#refused += 1;
      // Anybody can send us such stanzas: a line for each would push everything else out of the log.
      const isTold = Number.isInteger(Math.log2(this.#refused));
      if (isTold) this.#log.warn('stanza refused', { reason: verdict.reason, count: this.#refused });
      return;
    }
    if (stanza.name === 'iq') {
      const own = { bare: this.jid, full: this.#fullJid, domain: this.domain };
      const isAnswer = ['result', 'error'].includes(attr(stanza, 'type') ?? '');
      if (isAnswer && !this.#iqs.settle(stanza, own)) this.#log.debug('an answer that nobody waits for');
      return;
    }
    if (isDropped(stanza)) {
      this.#log.warn('stanza over the limits dropped', { name: stanza.name });
      return;
    }
    if (attr(stanza, 'from') === undefined) stanza.attrs['from'] = this.jid;
    if (verdict.kind !== 'archive') {
      this.onStanza.emit(stanza);
      return;
    }
    const query = this.#queries.get(verdict.queryId);
    if (query === undefined) return;
    this.#iqs.prolong(query.archive === this.jid ? undefined : query.archive);
    query.onResult(stanza);
  }

  #setState(state: XmppState): void {
    if (this.#scope.signal.aborted) return;
    this.#state = state;
    this.onState.emit(state);
  }
}

function toAppError(error: unknown): AppError {
  return error instanceof AppError ? error : new AppError(errorCode(error), 'connecting failed', {}, error);
}

/** Trying the same password again and again could only lock the account. */
function isFinal(error: AppError): boolean {
  return error.code === 'wrong-password';
}
