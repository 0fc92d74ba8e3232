import type { Duplex } from 'node:stream';
import type { Peer, Wire } from 'webtorrent';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey } from '../base/id.ts';
import type { TokenBucket } from './limits.ts';
import { Liveness } from './liveness.ts';
import { Manners } from './manners.ts';
import type { Route } from './route.ts';
import type { BlockRequest } from './uploads.ts';
import { Uploads } from './uploads.ts';
import { WireFramer } from './wire-framer.ts';
import type { WireGeometry } from './wire-guard.ts';
import { disarmExtensions, dispatchMessage } from './wire-guard.ts';

/** BEP 3: a keep-alive is the length of nothing, and no other message is as short. */
const KEEP_ALIVE_BYTES = 4;

/**
 * Answers and requests written and not yet sent, above which nothing more is read: whoever asks and never reads the
 * answers fills no memory.
 */
const MOST_UNSENT = 4096;

/** Global limits; every connection of the process draws from the same two and shares the memory for what waits. */
export interface Buckets {
  readonly up: TokenBucket;
  readonly down: TokenBucket;
  readonly connections: { open: number };
}

export interface PeerLinkDeps {
  readonly device: DeviceKey;
  readonly route: Route;
  /** Which of the two dialled: decides between two connections of one pair. */
  readonly weDialled: boolean;
  readonly stream: Duplex;
  readonly peer: Peer;
  readonly wire: Wire;
  readonly geometry: WireGeometry;
  readonly buckets: Buckets;
  readonly clock: Clock;
  readonly have: (piece: number) => boolean;
  readonly read: (request: BlockRequest, signal: AbortSignal) => Promise<Uint8Array>;
  /** The connection ends because of `error`: hostile input or an unreadable file. */
  readonly onFailure: (error: unknown) => void;
}

/** One admitted connection of one torrent: limits, back-pressure and checks between its stream and webtorrent's wire. */
export class PeerLink {
  readonly device: DeviceKey;
  readonly route: Route;
  readonly weDialled: boolean;
  readonly id: string;
  readonly wire: Wire;
  readonly #deps: PeerLinkDeps;
  readonly #uploads: Uploads;
  readonly #abort = new AbortController();
  readonly #manners: Manners;
  readonly #liveness = new Liveness();
  readonly #bornMs: number;
  #heardMs: number;
  #isLetGo = false;
  #isResting = false;
  #paidFor = false;
  #corked = false;
  #unsent = 0;

  constructor(deps: PeerLinkDeps) {
    this.#deps = deps;
    this.device = deps.device;
    this.route = deps.route;
    this.weDialled = deps.weDialled;
    this.id = deps.peer.id;
    this.wire = deps.wire;
    this.#bornMs = deps.clock.monotonic();
    this.#heardMs = this.#bornMs;
    this.#manners = new Manners(deps);
    deps.buckets.connections.open += 1;
    this.#uploads = this.#createUploads();
    disarmExtensions(deps.wire);
    this.#takeOverRequests();
    this.#takeOverOutput();
    this.#takeOverInput();
    deps.stream.once('close', () => {
      deps.buckets.connections.open -= 1;
      this.#abort.abort();
      this.#uploads[Symbol.dispose]();
    });
  }

  /** Both sides send at least a keep-alive every 55 s: who is silent for longer is gone, whatever the system says. */
  get silentMs(): number {
    return this.#deps.clock.monotonic() - this.#heardMs;
  }

  get ageMs(): number {
    return this.#deps.clock.monotonic() - this.#bornMs;
  }

  /** Answers are overdue: the other end, or the network between, may be gone. */
  get isSuspect(): boolean {
    return this.#liveness.isSuspect;
  }

  /** Whether it was we who ended it. */
  get isLetGo(): boolean {
    return this.#isLetGo;
  }

  /** Once a second. */
  tick(): void {
    const isWaiting = this.wire.requests.length > 0 || this.#uploads.length > 0;
    // Under a limit we do not even look whether there is something to hear.
    if (this.#isResting) this.#liveness.heard();
    if (this.#liveness.tick(isWaiting) && !this.#deps.peer.destroyed) this.wire.keepAlive();
  }

  destroy(): void {
    this.#isLetGo = true;
    this.#deps.peer.destroy();
  }

  #createUploads(): Uploads {
    const { stream, wire, buckets } = this.#deps;
    return new Uploads({
      bucket: buckets.up,
      connections: () => buckets.connections.open,
      read: this.#deps.read,
      send: (request, block) => {
        this.#paidFor = true;
        wire.piece(request.index, request.offset, block);
        this.#paidFor = false;
      },
      reject: ({ index, offset, length }) => {
        if (wire.hasFast) wire.reject(index, offset, length);
      },
      backlog: () => stream.writableLength,
      drained: (signal) => drained(stream, signal),
      onFailure: (error) => this.#fail(error),
    });
  }

  /** Requests wait in our own queue instead of being answered all at once into the stream's buffer. */
  #takeOverRequests(): void {
    const { wire, have } = this.#deps;
    wire._onRequest = (index, offset, length) => {
      const request = { index, offset, length };
      if (wire.amChoking || !have(index)) {
        if (wire.hasFast) wire.reject(index, offset, length);
        return;
      }
      if (!this.#uploads.request(request)) this.#fail(new AppError('bad-input', 'peer asks for more than it may'));
    };
    wire._onCancel = (index, offset, length) => this.#uploads.cancel({ index, offset, length });
    const choke = wire.choke.bind(wire);
    wire.choke = () => {
      choke();
      this.#uploads.rejectAll();
    };
  }

  /** What the wire sends goes straight to the stream, all of one tick in one write. */
  #takeOverOutput(): void {
    const { stream, wire, peer, buckets } = this.#deps;
    const sent = (): void => {
      this.#unsent -= 1;
    };
    wire.push = (chunk) => {
      if (chunk === null || stream.destroyed) return false;
      peer.emit('upload', chunk.length);
      this.#liveness.sent(chunk.length === KEEP_ALIVE_BYTES);
      if (!this.#paidFor) buckets.up.debit(chunk.length);
      if (!this.#corked) {
        this.#corked = true;
        stream.cork();
        setImmediate(() => {
          this.#corked = false;
          stream.uncork();
        });
      }
      // Blocks wait for the backlog themselves.
      if (this.#paidFor) return stream.write(chunk);
      this.#unsent += 1;
      return stream.write(chunk, sent);
    };
  }

  #takeOverInput(): void {
    const { stream, wire, peer, geometry, buckets } = this.#deps;
    const framer = new WireFramer({
      pieceCount: geometry.pieceCount,
      onHandshake: (bytes) => wire._onHandshakeBuffer(bytes),
      onMessage: (bytes) => {
        this.#liveness.gotMessage();
        this.#manners.check(bytes[0] ?? -1);
        dispatchMessage(wire, bytes, geometry);
      },
    });
    stream.on('data', (chunk: Uint8Array) => {
      if (peer.destroyed) return;
      this.#heardMs = this.#deps.clock.monotonic();
      this.#liveness.heard();
      peer.emit('download', chunk.length);
      buckets.down.debit(chunk.length);
      try {
        framer.push(chunk);
      } catch (error) {
        this.#fail(error);
        return;
      }
      if (!buckets.down.open) this.#restUntil(buckets.down.take(0, this.#abort.signal));
      else if (this.#unsent > MOST_UNSENT) this.#restUntil(drained(stream, this.#abort.signal));
    });
    stream.resume();
  }

  #restUntil(ready: Promise<void>): void {
    const { stream } = this.#deps;
    stream.pause();
    this.#isResting = true;
    const goOn = (): void => {
      this.#isResting = false;
      if (!stream.destroyed) stream.resume();
    };
    // A rejected wait means the connection has closed meanwhile.
    ready.then(goOn, () => undefined);
  }

  #fail(error: unknown): void {
    this.#deps.onFailure(error);
    this.destroy();
  }
}

function drained(stream: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      stream.off('drain', onDrain);
      stream.off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const onDrain = (): void => settle(resolve);
    const onClose = (): void => settle(resolve);
    const onAbort = (): void => settle(() => reject(signal.reason));
    stream.on('drain', onDrain);
    stream.on('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    if (!stream.writableNeedDrain) onDrain();
  });
}
