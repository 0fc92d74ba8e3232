import { toHex } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import { Emitter } from '../../base/emitter.ts';
import { AppError } from '../../base/errors.ts';
import type { DeviceKey } from '../../base/id.ts';
import type { Logger } from '../../base/log.ts';
import type { RandomBytes } from '../../base/random.ts';
import { RateLimit } from '../../base/rate-limit.ts';
import type { RtcSignal } from '../../contract/swarm.ts';
import { discardChannel } from './discard-channel.ts';
import type { IceServer } from './ice-servers.ts';
import { chooseIceServers } from './ice-servers.ts';
import type { NativeChannel, NativeRtc } from './native-rtc.ts';
import { ReceiveBudget } from './receive-budget.ts';
import type { RtcPath } from './rtc-session.ts';
import { RtcSession } from './rtc-session.ts';
import { RtcStream } from './rtc-stream.ts';
import { STREAM_PROTOCOL } from './stream-messages.ts';

const SESSION_BYTES = 16;
const IDLE_MS = 60_000;
/** From the offer to the first stream; relays answer within two seconds, a lost packet costs one or two more. */
const CONNECT_MS = 20_000;
/** For the first offer: a signal may be lost, and the library has races of its own. */
const FIRST_OFFER_MS = 7_000;
/** For so long the other side's offer is one that crossed our own. */
const CROSSING_MS = 1_000;
/** So soon whoever is there answers an offer that it got. */
const ANSWER_MS = 750;
/** For so long it may be one of a device that never got ours; later it starts anew. */
const OWN_OFFER_MS = 5_000;
/** A connection costs sockets and a key. Who is started again and again, in a network that changes, offers a few each time. */
const OFFERS = { burst: 24, intervalMs: 6_000 };
const MOST_SESSIONS_KNOWN = 64;
const MOST_STREAMS = 256;
const MOST_PENDING = 32;
/** Channels of another kind, or closed as soon as opened: the library forgets none of them, so this is for life. */
const MOST_UNWANTED = 256;
/** For the streams of one device beyond what each has anyway. */
const RECEIVE_BUDGET = 16 * 2 ** 20;

export type RtcLinkState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting' }
  | { readonly kind: 'connected'; readonly path: RtcPath }
  /** Until somebody opens a stream again. */
  | { readonly kind: 'failed'; readonly error: AppError };

export interface RtcLinkDeps {
  readonly native: NativeRtc;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly self: DeviceKey;
  readonly remote: DeviceKey;
  /** Asked for each new connection; no other server is ever used. */
  readonly iceServers: () => readonly IceServer[];
  /** Brings a signal to the other device's link. */
  readonly signal: (signal: RtcSignal) => void;
  /** A stream the other side opened; settles when it was admitted, or fails when not: few wait at a time. */
  readonly onStream: (stream: RtcStream) => Promise<void>;
}

interface Waiter {
  readonly resolve: (session: RtcSession) => void;
  readonly reject: (error: AppError) => void;
}

/** WebRTC to one other device: connects when a stream is opened, and carries any number of streams both ways. */
export class RtcLink implements Disposable {
  readonly changes: Emitter<RtcLinkState>;
  readonly #deps: RtcLinkDeps;
  readonly #streams = new Set<RtcStream>();
  readonly #waiters = new Set<Waiter>();
  /** Newest last; what comes for one of them again is a repetition. */
  readonly #known = new Set<string>();
  readonly #offers: RateLimit;
  #state: RtcLinkState = { kind: 'idle' };
  #budget = new ReceiveBudget(RECEIVE_BUDGET);
  #currentId: string | undefined;
  #session: RtcSession | undefined;
  #sinceMs = 0;
  #isOwnOffer = false;
  /** Whether this attempt follows one of ours that came to nothing. */
  #isSecond = false;
  #pending = 0;
  #unwanted = 0;
  #idle = new AbortController();
  /** Aborted with the session. */
  #over = new AbortController();
  #isRenewing = false;
  #isDisposed = false;

  constructor(deps: RtcLinkDeps) {
    this.#deps = deps;
    this.#offers = new RateLimit({ ...deps, ...OFFERS });
    this.changes = new Emitter((error) => deps.log.error('listener failed', { error }));
  }

  get state(): RtcLinkState {
    return this.#state;
  }

  /**
   * A new stream to the other device, connecting first when needed. Fails with `timed-out` or `disconnected`
   * when there is no path, and with `conflict` when there are too many streams. An attempt that comes to
   * nothing is followed by a second one.
   */
  async open(signal: AbortSignal): Promise<RtcStream> {
    signal.throwIfAborted();
    if (this.#isDisposed) throw new AppError('disconnected', 'the link is closed');
    const session = await this.#connected(signal);
    if (this.#streams.size >= MOST_STREAMS) throw new AppError('conflict', 'too many streams to one device');
    return this.#adopt(session.createChannel(), 'here');
  }

  /** Takes a signal of the other device's link, checked against the contract's schema. */
  receive(signal: RtcSignal): void {
    if (this.#isDisposed) return;
    if (signal.kind === 'offer') this.#onOffer(signal);
    else if (signal.session === this.#currentId) this.#session?.receive(signal);
  }

  /** The other device has just spoken: an offer that it does not answer in time was made before it could hear. */
  renew(): void {
    if (this.#session?.isUnanswered !== true) return;
    const waitMs = this.#sinceMs + ANSWER_MS - this.#deps.clock.monotonic();
    if (waitMs > 0) this.#renewLater(waitMs);
    else if (this.#offers.take('')) this.#offer();
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#hangUp({ kind: 'idle' }, new AppError('disconnected', 'the link is closed'));
  }

  #connected(signal: AbortSignal): Promise<RtcSession> {
    if (this.#session?.phase === 'connected') return Promise.resolve(this.#session);
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        this.#waiters.delete(waiter);
        signal.removeEventListener('abort', onAbort);
        act();
      };
      const waiter: Waiter = {
        resolve: (session) => settle(() => resolve(session)),
        reject: (error) => settle(() => reject(error)),
      };
      const onAbort = (): void => settle(() => reject(signal.reason));
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiters.add(waiter);
      if (this.#currentId === undefined) this.#offer();
    });
  }

  #onOffer({ session: id, text }: RtcSignal): void {
    const nowMs = this.#deps.clock.monotonic();
    const keepsOwn = this.#keepsOwnOffer(nowMs);
    const hasCrossed = keepsOwn && nowMs - this.#sinceMs < CROSSING_MS;
    if (this.#known.has(id) || this.#unwanted > MOST_UNWANTED) return;
    if (hasCrossed) {
      this.renew();
      return;
    }
    if (!this.#offers.take('')) return;
    // A device that was restarted has lost our offer, and waits for one: it gives way to ours whenever that comes.
    if (keepsOwn) this.#offer();
    // The other side starts anew: it has nothing left of the connection there was.
    else this.#begin(id, text);
  }

  #renewLater(waitMs: number): void {
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    this.#deps.clock.sleep(waitMs, this.#over.signal).then(
      () => {
        this.#isRenewing = false;
        this.renew();
      },
      // There is another attempt, or none.
      () => undefined,
    );
  }

  /** When both sides offer at once, the offer of the device with the higher key stands, also while it is answered. */
  #keepsOwnOffer(nowMs: number): boolean {
    return this.#isOwnOffer && this.#deps.self > this.#deps.remote && nowMs - this.#sinceMs < OWN_OFFER_MS;
  }

  #offer(): void {
    this.#begin(toHex(this.#deps.random(SESSION_BYTES)), undefined);
  }

  #begin(id: string, offer: string | undefined): void {
    this.#drop();
    this.#over = new AbortController();
    this.#isRenewing = false;
    this.#currentId = id;
    this.#isOwnOffer = offer === undefined;
    this.#sinceMs = this.#deps.clock.monotonic();
    this.#remember(id);
    this.#setState({ kind: 'connecting' });
    try {
      const session = this.#createSession(id, offer);
      // It may have failed meanwhile.
      if (this.#currentId === id) this.#session = session;
    } catch (cause) {
      this.#fail(id, cause instanceof AppError ? cause : new AppError('internal', 'no connection', {}, cause));
    }
  }

  #createSession(id: string, offer: string | undefined): RtcSession {
    const { native, clock, log, iceServers, signal } = this.#deps;
    const { usable, ignored } = chooseIceServers(iceServers());
    if (ignored.length > 0) log.info('ICE servers of no use', { reasons: ignored.map(({ reason }) => reason) });
    const deps = {
      native,
      clock,
      log,
      id,
      connectMs: this.#connectMs(),
      signal,
      servers: usable,
      onPath: (path: RtcPath) => this.#onPath(id, path),
      onChannel: (channel: NativeChannel) => this.#onChannel(id, channel),
      onEnd: (error: AppError) => this.#fail(id, error),
    };
    return offer === undefined ? RtcSession.offer(deps) : RtcSession.answer(deps, offer);
  }

  #connectMs(): number {
    return this.#isOwnOffer && !this.#isSecond ? FIRST_OFFER_MS : CONNECT_MS;
  }

  #onPath(id: string, path: RtcPath): void {
    const session = this.#session;
    if (id !== this.#currentId || session === undefined) return;
    this.#isSecond = false;
    this.#setState({ kind: 'connected', path });
    for (const waiter of Array.from(this.#waiters)) waiter.resolve(session);
    if (this.#streams.size === 0) this.#startIdling();
  }

  #onChannel(id: string, channel: NativeChannel): void {
    const isStream = channel.isOpen() && channel.getProtocol() === STREAM_PROTOCOL;
    const isFull = this.#pending >= MOST_PENDING || this.#streams.size >= MOST_STREAMS;
    if (!isStream || isFull || id !== this.#currentId) {
      this.#deps.log.debug('channel refused', { isStream, isFull });
      discardChannel(channel);
      if (!isStream) this.#unwanted += 1;
      if (this.#unwanted > MOST_UNWANTED) throw new AppError('bad-input', 'too many channels that nobody wants');
      return;
    }
    const stream = this.#adopt(channel, 'there');
    this.#pending += 1;
    this.#deps
      .onStream(stream)
      // Not admitted: the reason was logged, the other end learns nothing.
      .catch(() => stream.destroy())
      .finally(() => {
        this.#pending -= 1;
      });
  }

  #adopt(channel: NativeChannel, opened: 'here' | 'there'): RtcStream {
    this.#idle.abort();
    const stream = new RtcStream({ channel, opened, clock: this.#deps.clock, budget: this.#budget });
    this.#streams.add(stream);
    // A broken stream is told by its 'close'.
    stream.on('error', (error) => this.#deps.log.debug('stream broke', { error }));
    stream.once('close', () => {
      if (this.#streams.delete(stream) && this.#streams.size === 0) this.#startIdling();
    });
    return stream;
  }

  #startIdling(): void {
    this.#idle.abort();
    if (this.#state.kind !== 'connected') return;
    this.#idle = new AbortController();
    this.#deps.clock.sleep(IDLE_MS, this.#idle.signal).then(
      () => this.#hangUp({ kind: 'idle' }, new AppError('disconnected', 'the link was idle')),
      // There is a stream again, or no connection.
      () => undefined,
    );
  }

  #hangUp(state: RtcLinkState, error: AppError): void {
    const id = this.#currentId;
    this.#drop();
    this.#isSecond = false;
    if (id !== undefined) this.#deps.signal({ session: id, kind: 'end', text: '', mid: '' });
    this.#rejectWaiters(error);
    this.#setState(state);
  }

  #fail(id: string, error: AppError): void {
    if (id !== this.#currentId) return;
    const isFirst = this.#state.kind === 'connecting' && !this.#isSecond;
    if (!isFirst || this.#waiters.size === 0) {
      this.#hangUp({ kind: 'failed', error }, error);
      return;
    }
    this.#deps.signal({ session: id, kind: 'end', text: '', mid: '' });
    this.#isSecond = true;
    this.#offer();
  }

  /** Ends what there is; those who wait for a connection go on waiting. */
  #drop(): void {
    this.#currentId = undefined;
    this.#isOwnOffer = false;
    this.#session?.[Symbol.dispose]();
    this.#session = undefined;
    this.#over.abort();
    this.#idle.abort();
    for (const stream of Array.from(this.#streams)) stream.destroy();
    this.#streams.clear();
    this.#budget = new ReceiveBudget(RECEIVE_BUDGET);
  }

  #rejectWaiters(error: AppError): void {
    for (const waiter of Array.from(this.#waiters)) waiter.reject(error);
  }

  #remember(id: string): void {
    this.#known.add(id);
    const [oldest] = this.#known;
    if (this.#known.size > MOST_SESSIONS_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }

  #setState(state: RtcLinkState): void {
    if (state.kind === this.#state.kind && state.kind !== 'connected' && state.kind !== 'failed') return;
    this.#state = state;
    this.changes.emit(state);
  }
}
