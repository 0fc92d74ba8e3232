// RFC 8829: JSEP; RFC 8838: Trickle ICE
import type { Clock } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { RtcSignal } from '../../contract/swarm.ts';
import { discardChannel } from './discard-channel.ts';
import { readCandidate } from './ice-candidate.ts';
import type { NativeChannel, NativeConnection, NativeIceServer, NativeRtc } from './native-rtc.ts';
import type { DescriptionKind } from './session-description.ts';
import { rewriteDescription } from './session-description.ts';
import { STREAM_PROTOCOL } from './stream-messages.ts';

/** From the offer to the first stream; relays answer within two seconds, a lost packet costs one or two more. */
export const CONNECT_MS = 20_000;
/** Whether a better path was found is not told, only answered. */
const PATH_CHECK_MS = 2_000;
const MOST_CANDIDATES = 32;
const CANDIDATES_PER_SIGNAL = 16;
/** The highest there is; both sides count their own channels from the lowest. */
const ANCHOR_CHANNEL = 1_023;

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
  /** Keeps the offering side's description from being empty; carries nothing. */
  #anchor: NativeChannel | undefined;
  #phase: Phase;
  #isDescribed = false;
  #isRemoteDescribed = false;
  /** Ours until the description is out, theirs until it is in. */
  #ownCandidates: string[] = [];
  #othersCandidates: string[] = [];
  #candidates = 0;
  readonly #relays = new Set<string>();
  #isSendingCandidates = false;

  private constructor(deps: RtcSessionDeps, phase: Phase) {
    this.id = deps.id;
    this.#deps = deps;
    this.#phase = phase;
    this.#connection = deps.native.createConnection(deps.servers);
    this.#listen();
    this.#expireConnecting();
  }

  static offer(deps: RtcSessionDeps): RtcSession {
    const session = new RtcSession(deps, 'offered');
    session.#attempt(() => {
      session.#anchor = session.#connection.createDataChannel('', { negotiated: true, id: ANCHOR_CHANNEL });
    });
    return session;
  }

  /** Fails with `bad-input`. */
  static answer(deps: RtcSessionDeps, offer: string): RtcSession {
    const sdp = rewriteDescription(offer, 'offer');
    const session = new RtcSession(deps, 'answered');
    session.#attempt(() => session.#describeRemote(sdp, 'offer'));
    return session;
  }

  get phase(): Phase {
    return this.#phase;
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
      return this.#connection.createDataChannel('', { protocol: STREAM_PROTOCOL });
    } catch (cause) {
      throw new AppError('disconnected', 'no data channel can be opened', {}, cause);
    }
  }

  [Symbol.dispose](): void {
    this.#phase = 'ended';
    this.#over.abort();
    if (this.#anchor !== undefined) discardChannel(this.#anchor);
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
    this.#ownCandidates.push(candidate.text);
    if (this.#isSendingCandidates) return;
    this.#isSendingCandidates = true;
    // Those of one machine are found together and travel in one message.
    setImmediate(() => {
      this.#isSendingCandidates = false;
      this.#attempt(() => this.#sendCandidates());
    });
  }

  #sendCandidates(): void {
    while (this.#isDescribed && this.#ownCandidates.length > 0) {
      const text = this.#ownCandidates.splice(0, CANDIDATES_PER_SIGNAL).join('\n');
      this.#deps.signal({ session: this.id, kind: 'candidate', text, mid: '0' });
    }
  }

  #describeRemote(sdp: string, kind: DescriptionKind): void {
    this.#connection.setRemoteDescription(sdp, kind);
    this.#isRemoteDescribed = true;
    this.#takeCandidates(this.#othersCandidates.splice(0));
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
    if (state === 'connected') {
      if (this.#phase === 'connected') return;
      this.#phase = 'connected';
      this.#watchPath();
    } else if (state === 'failed') {
      this.#end(new AppError('timed-out', 'no path to the other side'));
    } else if (state === 'disconnected' || state === 'closed') {
      this.#end(new AppError('disconnected', 'the connection broke'));
    }
  }

  #watchPath(): void {
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
    this.#deps.clock.sleep(CONNECT_MS, this.#over.signal).then(
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
      const error = cause instanceof AppError ? cause : new AppError('internal', 'the connection failed', {}, cause);
      this.#end(error);
    }
  }

  #end(error: AppError): void {
    if (this.#phase === 'ended') return;
    this[Symbol.dispose]();
    this.#deps.log.debug('session ended', { error });
    this.#deps.onEnd(error);
  }
}

function addressOf({ address, port }: { readonly address: string; readonly port: number }): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
