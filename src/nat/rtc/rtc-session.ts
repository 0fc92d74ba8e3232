// RFC 8829: JSEP; RFC 8838: Trickle ICE
import type { Clock } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { RtcSignal } from '../../contract/swarm.ts';
import type { IceCandidate } from './ice-candidate.ts';
import { readCandidate } from './ice-candidate.ts';
import type { NativeChannel, NativeConnection, NativeIceServer, NativeRtc } from './native-rtc.ts';
import type { DescriptionKind } from './session-description.ts';
import { rewriteDescription } from './session-description.ts';
import { STREAM_PROTOCOL } from './stream-messages.ts';

/** Whether a better path was found is not told, only answered. */
const PATH_CHECK_MS = 2_000;
const MOST_CANDIDATES = 32;
const CANDIDATES_PER_SIGNAL = 16;
/** The highest there is; those of streams are below. */
const ANCHOR_CHANNEL = 1_023;
const CHANNELS = 1_022;

/** How two devices reach each other: the other end as seen from here, or a relay between them. */
export interface RtcPath {
  readonly kind: 'direct' | 'relay';
  /** `address:port`, an IPv6 address in brackets. */
  readonly address: string;
}

export interface RtcSessionDeps {
  readonly native: NativeRtc;
  readonly servers: readonly NativeIceServer[];
  readonly clock: Clock;
  readonly log: Logger;
  /** 32 hex digits, chosen by who offers. */
  readonly id: string;
  /** From the offer to the first stream. */
  readonly connectMs: number;
  readonly signal: (signal: RtcSignal) => void;
  readonly onPath: (path: RtcPath) => void;
  readonly onChannel: (channel: NativeChannel) => void;
  /** Once, and not when the session was disposed. */
  readonly onEnd: (error: AppError) => void;
}

type Phase = 'offered' | 'answered' | 'connected' | 'ended';

/** One attempt to connect two devices, and the connection that comes of it; a new attempt is a new session. */
export class RtcSession implements Disposable {
  readonly id: string;
  readonly #deps: RtcSessionDeps;
  readonly #connection: NativeConnection;
  readonly #over = new AbortController();
  /** Carries nothing: it makes a description possible, and its opening tells that other channels may be made. */
  #anchor: NativeChannel | undefined;
  /** By number, those of our own making. */
  readonly #channels = new Map<number, NativeChannel>();
  #nextChannel: number;
  #phase: Phase;
  #isDescribed = false;
  #isRemoteDescribed = false;
  /** Ours until the description is out, theirs until it is in. */
  #ownCandidates: IceCandidate[] = [];
  #othersCandidates: string[] = [];
  #candidates = 0;
  readonly #relays = new Set<string>();
  #isSendingCandidates = false;

  private constructor(deps: RtcSessionDeps, phase: Phase) {
    this.id = deps.id;
    this.#deps = deps;
    this.#phase = phase;
    // RFC 8832 §6: even numbers are for who begins DTLS, and that is who answers.
    this.#nextChannel = phase === 'offered' ? 1 : 0;
    this.#connection = deps.native.createConnection(deps.servers);
    this.#listen();
    this.#expireConnecting();
  }

  static offer(deps: RtcSessionDeps): RtcSession {
    const session = new RtcSession(deps, 'offered');
    session.#attempt(() => session.#cast());
    return session;
  }

  /** Fails with `bad-input`. */
  static answer(deps: RtcSessionDeps, offer: string): RtcSession {
    const sdp = rewriteDescription(offer, 'offer');
    const session = new RtcSession(deps, 'answered');
    session.#attempt(() => {
      session.#describeRemote(sdp, 'offer');
      session.#cast();
    });
    return session;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** The other side has not said anything to our offer. */
  get isUnanswered(): boolean {
    return this.#phase === 'offered';
  }

  receive(signal: RtcSignal): void {
    if (this.#phase === 'ended') return;
    this.#attempt(() => {
      if (signal.kind === 'end') this.#end(new AppError('disconnected', 'the other side ended the session'));
      else if (signal.kind === 'candidate') this.#takeCandidates(signal.text.split(/\r?\n/));
      else if (signal.kind === 'answer' && this.#phase === 'offered') {
        const sdp = rewriteDescription(signal.text, 'answer');
        this.#phase = 'answered';
        this.#describeRemote(sdp, 'answer');
      }
    });
  }

  /** Only when connected. Fails with `disconnected`. */
  createChannel(): NativeChannel {
    try {
      const id = this.#takeNumber();
      const channel = this.#connection.createDataChannel('', { protocol: STREAM_PROTOCOL, id });
      this.#channels.set(id, channel);
      return channel;
    } catch (cause) {
      throw new AppError('disconnected', 'no data channel can be opened', {}, cause);
    }
  }

  /** The library would take the lowest free one, also while the other side still closes the channel that had it. */
  #takeNumber(): number {
    let id = this.#nextChannel;
    while (this.#channels.get(id)?.isOpen() === true) id = (id + 2) % CHANNELS;
    this.#nextChannel = (id + 2) % CHANNELS;
    return id;
  }

  [Symbol.dispose](): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#over.abort();
    this.#anchor?.close();
    this.#connection.close();
  }

  #listen(): void {
    const connection = this.#connection;
    // What a listener throws would end the process.
    connection.onLocalDescription((sdp, kind) => this.#attempt(() => this.#sendDescription(sdp, kind)));
    connection.onLocalCandidate((line) => this.#attempt(() => this.#sendCandidate(line)));
    connection.onStateChange((state) => this.#attempt(() => this.#onState(state)));
    connection.onDataChannel((channel) => this.#attempt(() => this.#deps.onChannel(channel)));
  }

  /**
   * The library opens all channels there are some time after it said 'connected': one that is made in between is opened
   * twice, and the other side closes it.
   */
  #cast(): void {
    const anchor = this.#connection.createDataChannel('', { negotiated: true, id: ANCHOR_CHANNEL });
    this.#anchor = anchor;
    anchor.onOpen(() => this.#attempt(() => this.#onConnected()));
    anchor.onClosed(() => this.#attempt(() => this.#end(new AppError('disconnected', 'the connection was closed'))));
  }

  #sendDescription(sdp: string, kind: string): void {
    if (this.#isDescribed || (kind !== 'offer' && kind !== 'answer')) return;
    const text = rewriteDescription(sdp, kind);
    this.#deps.signal({ session: this.id, kind, text, mid: '' });
    this.#isDescribed = true;
    this.#sendCandidates();
  }

  #sendCandidate(line: string): void {
    const candidate = readCandidate(line);
    if (candidate === undefined) return;
    this.#ownCandidates.push(candidate);
    if (this.#isSendingCandidates) return;
    this.#isSendingCandidates = true;
    // Those of one machine are found together and travel in one message.
    setImmediate(() => {
      this.#isSendingCandidates = false;
      this.#attempt(() => this.#sendCandidates());
    });
  }

  /**
   * The library lets DTLS begin as soon as ICE connects, and ICE before it has noted the fingerprint of an answer. In one
   * network that is a race which fails one time in a hundred, so who offers is not called from there before the answer.
   */
  #sendCandidates(): void {
    if (!this.#isDescribed) return;
    const isHeld = ({ type }: IceCandidate): boolean => type === 'host' && !this.#isRemoteDescribed;
    const texts = this.#ownCandidates.filter((candidate) => !isHeld(candidate)).map(({ text }) => text);
    this.#ownCandidates = this.#ownCandidates.filter(isHeld);
    while (texts.length > 0) {
      const text = texts.splice(0, CANDIDATES_PER_SIGNAL).join('\n');
      this.#deps.signal({ session: this.id, kind: 'candidate', text, mid: '0' });
    }
  }

  #describeRemote(sdp: string, kind: DescriptionKind): void {
    this.#connection.setRemoteDescription(sdp, kind);
    this.#isRemoteDescribed = true;
    this.#takeCandidates(this.#othersCandidates.splice(0));
    this.#sendCandidates();
  }

  #takeCandidates(lines: readonly string[]): void {
    for (const line of lines) {
      const candidate = readCandidate(line);
      if (candidate === undefined || this.#candidates >= MOST_CANDIDATES) continue;
      if (!this.#isRemoteDescribed) {
        if (this.#othersCandidates.length < MOST_CANDIDATES) this.#othersCandidates.push(line);
        continue;
      }
      this.#candidates += 1;
      if (candidate.type === 'relay') this.#relays.add(addressOf(candidate));
      this.#connection.addRemoteCandidate(candidate.text, '0');
    }
  }

  #onState(state: string): void {
    if (state === 'failed') {
      this.#end(new AppError('timed-out', 'no path to the other side'));
    } else if (state === 'disconnected' || state === 'closed') {
      this.#end(new AppError('disconnected', 'the connection broke'));
    }
  }

  #onConnected(): void {
    this.#phase = 'connected';
    const { clock, onPath } = this.#deps;
    let known: RtcPath | undefined;
    const look = (): void => {
      const path = this.#path();
      if (path === undefined || (path.kind === known?.kind && path.address === known.address)) return;
      known = path;
      onPath(path);
    };
    const watch = async (): Promise<void> => {
      for (;;) {
        this.#attempt(look);
        await clock.sleep(PATH_CHECK_MS, this.#over.signal);
      }
    };
    // Only ends with the session.
    watch().catch(() => undefined);
  }

  #path(): RtcPath | undefined {
    const pair = this.#connection.getSelectedCandidatePair();
    if (pair === null) return undefined;
    const address = addressOf(pair.remote);
    const isRelayed = pair.local.type === 'relay' || pair.remote.type === 'relay' || this.#relays.has(address);
    return { kind: isRelayed ? 'relay' : 'direct', address };
  }

  #expireConnecting(): void {
    this.#deps.clock.sleep(this.#deps.connectMs, this.#over.signal).then(
      () => {
        if (this.#phase !== 'connected') this.#end(new AppError('timed-out', 'no path to the other side in time'));
      },
      // The session ended first.
      () => undefined,
    );
  }

  /** Nothing that the library throws may pass: half of it is thrown inside its own callbacks. */
  #attempt(act: () => void): void {
    if (this.#phase === 'ended') return;
    try {
      act();
    } catch (cause) {
      const error =
        cause instanceof AppError ? cause : new AppError('disconnected', 'the connection failed', {}, cause);
      this.#end(error);
    }
  }

  #end(error: AppError): void {
    if (this.#phase === 'ended') return;
    const phase = this.#phase;
    this[Symbol.dispose]();
    this.#deps.log.debug('session ended', { error, phase, candidates: this.#candidates });
    this.#deps.onEnd(error);
  }
}

function addressOf({ address, port }: { readonly address: string; readonly port: number }): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
