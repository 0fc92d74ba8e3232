// RFC 6120: XMPP Core; XEP-0198: Stream Management, version 1.6.1
import { EventEmitter } from 'node:events';
import type { TLSSocket } from 'node:tls';
import {
  type Authenticate,
  type Client,
  client as createClient,
  type QueuedStanza,
  type Transport,
} from '@xmpp/client';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { type Line, withDeadline, withPatience } from './deadline.ts';
import { child, type Element, NS_STREAM } from './element.ts';
import { domainOf, localPartOf } from './jid.ts';
import { LineWriter } from './line-writer.ts';
import type { XmppLogin } from './login.ts';
import { Sasl } from './sasl.ts';
import { signInError } from './sign-in-error.ts';
import { streamError } from './negotiation-stream.ts';
import { StreamParser } from './stream-parser.ts';
import { NS_CLIENT_STATE } from './xep/0352-client-state.ts';

const NS_SM = 'urn:xmpp:sm:3';
const NS_SASL2 = 'urn:xmpp:sasl:2';
const SIGN_IN_MS = 30_000;
const ENABLE_MS = 5000;
const GOODBYE_MS = 1000;
/** A good line that says nothing for this long after being asked is dead. */
const SILENCE_MS = 20_000;

/** What the next connection needs to take the place of a broken one. */
export interface Resumption {
  readonly id: string;
  readonly fullJid: string;
  readonly queue: readonly QueuedStanza[];
  readonly outbound: number;
  readonly inbound: number;
}

export interface ConnectionTraits {
  /** As "TLSv1.3"; null once the connection is over. */
  readonly tls: string | null;
  /** Whether the server keeps the session for a while when the connection breaks. */
  readonly resumes: boolean;
  /** How it signed in, as "SCRAM-SHA-1"; empty when it was resumed. */
  readonly mechanism: string;
  /** Whether it wants to know whether somebody looks (XEP-0352). */
  readonly heedsState: boolean;
  /** Where the server was reached; undefined once the connection is lost. */
  readonly serverAddress: string | undefined;
}

export interface SessionListener {
  /** A message, presence or answer; nothing is checked yet. */
  onStanza(stanza: Element): void;
  /** The server has taken the stanza. */
  onAck(stanza: Element): void;
  /** The stanza was written into a connection that is lost for good. */
  onUnsent(stanza: Element): void;
}

export type IqListener = (request: Element) => Promise<Element | undefined>;

interface SessionDeps {
  readonly socket: TLSSocket;
  readonly login: XmppLogin;
  readonly resumption: Resumption | undefined;
  readonly listener: SessionListener;
  /** Sets up what the session answers, before the first byte is read. */
  readonly install: (session: Session) => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/**
 * One signed-in connection: the vendor library on a socket whose TLS is already proven. The library is made
 * anew for each connection, so that nothing of a broken one can act in the next.
 */
export class Session implements Line {
  readonly #deps: SessionDeps;
  readonly #entity: Client;
  readonly #sasl: Sasl;
  readonly #line: LineWriter;
  readonly #ended = Promise.withResolvers<AppError>();
  #isOver = false;
  #isOnline = false;
  #isClosing = false;
  #offersSm = false;
  #heedsState = false;
  #resumed = false;
  #hasTakenOver = false;
  #failure: AppError | undefined;

  private constructor(deps: SessionDeps) {
    this.#deps = deps;
    const { login, socket, random, clock } = deps;
    this.#line = new LineWriter({ socket, clock, onStalled: (error) => this.#finish(error) });
    this.#entity = createEntity(login, librarySocket(socket, this.#line), () => this.#sasl);
    // The library reads it each time it asks.
    Object.defineProperty(this.#entity.streamManagement, 'timeout', { get: () => SILENCE_MS + this.lateMs });
    const { password } = login;
    this.#sasl = new Sasl({ socket, username: localPartOf(login.jid), password, random }, this.#entity.saslFactory);
    this.#watch();
  }

  /** Signs in, or resumes. The socket belongs to the session from here on, also when this rejects. */
  static async open(deps: SessionDeps, signal: AbortSignal): Promise<Session> {
    const session = new Session(deps);
    deps.install(session);
    try {
      const limit = { ms: SIGN_IN_MS, line: session, enough: 1 };
      await withPatience(deps.clock, limit, signal, (deadline) => session.#signIn(deadline));
      return session;
    } catch (error) {
      const known = session.#failure ?? signInError(error);
      session.#finish(known);
      signal.throwIfAborted();
      throw known;
    }
  }

  /** Settles, once and never by rejection, with the reason why the connection is over. */
  get ended(): Promise<AppError> {
    return this.#ended.promise;
  }

  get fullJid(): string {
    return this.#entity.jid?.toString() ?? '';
  }

  /** Whether this connection continues the one before it, with nothing lost between them. */
  get isResumed(): boolean {
    return this.#resumed;
  }

  /** Whether the server has let this connection take the place of the one before it, also when it broke right then. */
  get hasTakenOver(): boolean {
    return this.#hasTakenOver;
  }

  get acknowledges(): boolean {
    return this.#entity.streamManagement.enabled;
  }

  /** What the connection is like, as long as it lasts. */
  get traits(): ConnectionTraits {
    return {
      tls: this.#deps.socket.getProtocol(),
      resumes: this.resumption() !== undefined,
      mechanism: this.#sasl.mechanism,
      heedsState: this.#heedsState,
      serverAddress: this.#deps.socket.remoteAddress,
    };
  }

  get heard(): number {
    return this.#deps.socket.bytesRead;
  }

  get lateMs(): number {
    return this.#line.lateMs;
  }

  /** At which port the server was reached; undefined once the connection is lost. */
  get serverPort(): number | undefined {
    return this.#deps.socket.remotePort;
  }

  async send(stanza: Element): Promise<void> {
    if (this.#isOver) throw new AppError('disconnected', 'the connection is over');
    try {
      await this.#entity.send(stanza);
    } catch (error) {
      throw new AppError('disconnected', 'the connection broke while sending', {}, error);
    }
  }

  handleIq(type: 'get' | 'set', xmlns: string, name: string, listener: IqListener): void {
    this.#entity.iqCallee[type](xmlns, name, async ({ stanza }) => (await listener(stanza)) ?? {});
  }

  /** Undefined when the server cannot resume. */
  resumption(): Resumption | undefined {
    const { id, outbound_q: queue, outbound, inbound } = this.#entity.streamManagement;
    // XEP-0198 §3: a server that acknowledges but cannot resume gives no id.
    return id === undefined || id === ''
      ? undefined
      : { id, fullJid: this.fullJid, queue: [...queue], outbound, inbound };
  }

  /** Ends the stream in order; what the server has not acknowledged is told as unsent. */
  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#isClosing = true;
    this.#entity.timeout = GOODBYE_MS;
    const { clock, log } = this.#deps;
    try {
      await withDeadline(clock, GOODBYE_MS, undefined, () => this.#entity.stop());
    } catch (error) {
      log.debug('the server did not say goodbye', { error });
    }
    this.#finish(new AppError('disconnected', 'signed out'));
  }

  /** Ends the connection without a word, so that the server keeps the session for a while. */
  abandon(reason: AppError): void {
    this.#finish(reason);
  }

  async #signIn(signal: AbortSignal): Promise<void> {
    const { resumption, login } = this.#deps;
    const entity = this.#entity;
    const sm = entity.streamManagement;
    if (resumption !== undefined) {
      entity._jid(resumption.fullJid);
      sm.id = resumption.id;
      sm.outbound_q = [...resumption.queue];
      sm.outbound = resumption.outbound;
      sm.inbound = resumption.inbound;
    }
    const online = this.#whenOnline();
    const opened = entity.connect('xmpps://secured').then(() => entity.open({ domain: domainOf(login.jid) }));
    await Promise.race([online, opened.then(() => online)]);
    signal.throwIfAborted();
    this.#isOnline = true;
  }

  async #whenOnline(): Promise<void> {
    const entity = this.#entity;
    const { promise, resolve, reject } = Promise.withResolvers<'resumed' | 'bound'>();
    entity.streamManagement.once('resumed', () => resolve('resumed'));
    entity.once('online', () => resolve('bound'));
    entity.once('error', reject);
    void this.#ended.promise.then(reject);
    this.#resumed = (await promise) === 'resumed';
    // What is sent before the server counts would be lost without a trace.
    if (!this.#resumed && this.#offersSm) await this.#whenCounting();
  }

  async #whenCounting(): Promise<void> {
    const answered = new Promise<void>((resolve) => {
      this.#entity.on('nonza', (element: Element) => {
        if (element.getNS() === NS_SM && ['enabled', 'failed'].includes(element.name)) resolve();
      });
    });
    const none = (): undefined => undefined;
    await withDeadline(this.#deps.clock, ENABLE_MS, undefined, () => answered).catch(none);
    // The library notes the answer some microtasks later.
    await new Promise((resolve) => setImmediate(resolve));
  }

  #watch(): void {
    const { listener, log, socket } = this.#deps;
    const entity = this.#entity;
    const sm = entity.streamManagement;
    sm.on('ack', (stanza: Element) => {
      if (sm.outbound_q.length === 0) this.#line.answered();
      listener.onAck(stanza);
    });
    sm.on('fail', (stanza: Element) => listener.onUnsent(stanza));
    entity.on('stanza', (stanza: Element) => {
      if (this.#isOnline || stanza.name !== 'iq') listener.onStanza(stanza);
    });
    // Before the library acts on it.
    entity.prependListener('element', (element: Element) => {
      this.#sasl.hear(element);
      if (element.is('resumed', NS_SM)) this.#hasTakenOver = true;
    });
    entity.on('nonza', (element: Element) => {
      if (!element.is('features', NS_STREAM)) return;
      this.#offersSm = child(element, 'sm', NS_SM) !== undefined;
      this.#heedsState = child(element, 'csi', NS_CLIENT_STATE) !== undefined;
    });
    entity.on('error', (error: unknown) => {
      if (!this.#isOnline) return;
      if (error instanceof AppError) this.#finish(error);
      else log.warn('the library reported an error', { error });
    });
    entity.on('status', (status: string) => {
      if (this.#isClosing || !['closing', 'close', 'disconnecting', 'disconnect'].includes(status)) return;
      this.#finish(new AppError('disconnected', 'the connection is lost'));
    });
    const { disconnect } = entity;
    entity.disconnect = async () => {
      if (this.#isClosing) await disconnect.call(entity);
      // XEP-0198 §7: a server that is told goodbye, as the library does to a silent one, has nothing to resume.
      else this.#finish(new AppError('disconnected', 'the server is silent'));
    };
    entity._onData = (data) => {
      if (!this.#isOver) entity.parser?.write(data);
    };
    entity._onStreamError = (element) => {
      this.#failure = streamError(element);
      // The library would follow see-other-host to any address; the domain's records decide that.
      entity.emit('error', this.#failure);
      this.#finish(this.#failure);
    };
    socket.on('close', () => this.#finish(new AppError('disconnected', 'the connection is lost')));
  }

  #finish(reason: AppError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // What came later would be counted as dealt with here and told again in the resumed session.
    this.#entity.parser?.stop();
    this.#ended.resolve(reason);
    // Ends what the library still waits for, with its timers.
    this.#entity.emit('error', reason);
    const { socket } = this.#deps;
    // Lets a last stream error out, and does not wait for a peer that reads nothing.
    socket.setTimeout(GOODBYE_MS, () => socket.destroy());
    socket.destroySoon();
  }
}

function createEntity(login: XmppLogin, socket: LibrarySocket, sasl: () => Sasl): Client {
  const { jid, password, resource } = login;
  const username = localPartOf(jid);
  const entity = createClient({
    service: 'xmpps://secured',
    domain: domainOf(jid),
    username,
    ...(resource === undefined ? {} : { resource }),
    timeout: SIGN_IN_MS,
    credentials: async (authenticate: Authenticate, mechanisms, _fast, stream) => {
      const mechanism = sasl().choose();
      if (!stream.isSecure()) throw new AppError('tls-required', 'the connection is not encrypted');
      if (mechanism === undefined) throw new AppError('server-unreachable', 'no common way to sign in', { mechanisms });
      await authenticate({ username, password }, mechanism);
      sasl().finish();
    },
  });
  entity.reconnect.stop();
  const base = entity.transports.find((transport) => isTlsTransport(transport));
  if (base === undefined) throw new AppError('internal', 'the library has no TLS transport');
  entity.transports = [transportOn(socket, base)];
  return entity;
}

function isTlsTransport(transport: Transport): boolean {
  return transport.prototype.socketParameters('xmpps://secured') !== undefined;
}

/** The library's transport on a socket that is already connected, with our parser. */
function transportOn(socket: LibrarySocket, base: Transport): Transport {
  const own = { Socket: socket, Parser: SessionParser, socketParameters: () => ({}) };
  return { prototype: Object.assign(Object.create(base.prototype), own) };
}

class SessionParser extends StreamParser {
  constructor() {
    super();
    this.on('element', (element: Element) => {
      // SASL 2 with FAST keeps tokens of its own; one way to sign in is enough and proven.
      const sasl2 = element.is('features', NS_STREAM) ? child(element, 'authentication', NS_SASL2) : undefined;
      if (sasl2 !== undefined) element.remove(sasl2);
    });
  }
}

type LibrarySocket = new () => EventEmitter;

/** The face that the library expects of a socket, on the one socket of this session. */
function librarySocket(socket: TLSSocket, line: LineWriter): LibrarySocket {
  return class extends EventEmitter {
    readonly secure = true;

    connect(): void {
      socket.on('data', (data) => this.emit('data', data));
      socket.on('close', () => this.emit('close', false));
      queueMicrotask(() => this.emit('connect'));
    }

    async write(data: string, done: (error?: unknown) => void): Promise<void> {
      try {
        await line.write(data);
      } catch (error) {
        return done(error);
      }
      done();
    }

    end(): void {
      socket.end();
    }
  };
}
