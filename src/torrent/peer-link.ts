import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey } from '../base/id.ts';
import type { Assembly } from './assembly.ts';
import { BlockRequests } from './block-requests.ts';
import { drained } from './drained.ts';
import type { Giving } from './giving.ts';
import type { HeldPiece } from './held-piece.ts';
import type { Bucket } from './limits.ts';
import type { Link } from './link.ts';
import { Liveness } from './liveness.ts';
import { Manners } from './manners.ts';
import type { OpenConnections } from './open-connections.ts';
import type { PeerExchange } from './peer-exchange.ts';
import type { Route } from './route.ts';
import { readIntoOneBuffer } from './socket-input.ts';
import { Uploads } from './uploads.ts';
import type { BlockHeader, BlockSink } from './wire-framer.ts';
import { WireFramer } from './wire-framer.ts';
import type { PeerWire } from './webtorrent-inside.ts';
import type { WireGeometry } from './wire-guard.ts';
import { checkBlock, dispatchMessage, OUR_HANDSHAKE, readCapacity } from './wire-guard.ts';
import { blockHeader, cancelMessage, requestMessage, unchokeMessage } from './wire-messages.ts';

/** BEP 3: a keep-alive is the length of nothing, and no other message is as short. */
const KEEP_ALIVE_BYTES = 4;

/**
 * Answers and requests written and not yet sent, above which nothing more is read: whoever asks and never reads the
 * answers fills no memory.
 */
const MOST_UNSENT = 4096;
/** Whoever was asked and sends none of it for so long is of no use to anybody. */
const STALLED_MS = 30_000;
/** Longer than blocks are on their way. */
const JUST_MS = 2_000;
const BITFIELD = 5;

/** Limits of what a connection moves, and who shares the memory for what waits. */
export interface Buckets {
  readonly up: Bucket;
  readonly down: Bucket;
  readonly connections: OpenConnections;
  /** What comes is limited for this torrent or its sphere, so that others have use for the rest of the line. */
  readonly isHeldBack: boolean;
}

export interface PeerLinkDeps {
  readonly device: DeviceKey;
  readonly route: Route;
  /** Which of the two dialled: decides between two connections of one pair. */
  readonly weDialled: boolean;
  /** Of a stranger only. */
  readonly strangersId?: Uint8Array;
  /** Another program, which knows no signs of life: aria2 ends a connection that brings two of them in five seconds. */
  readonly isForeign?: boolean;
  /** Of a public torrent only. */
  readonly exchange?: PeerExchange;
  readonly stream: Duplex;
  readonly wire: PeerWire;
  readonly geometry: WireGeometry;
  readonly buckets: Buckets;
  readonly giving: Giving;
  readonly clock: Clock;
  readonly have: (piece: number) => boolean;
  readonly borrow: (piece: number, signal: AbortSignal) => Promise<HeldPiece>;
  /** A block that we asked for is in its piece. */
  readonly onBlock: (assembly: Assembly) => void;
  /** The other end says what it holds, in BEP 3 bit order; null = everything. */
  readonly onPieces: (bitfield: Uint8Array | null) => void;
  readonly onHave: (piece: number) => void;
  /** The other end gives nothing from now on. */
  readonly onChoking: () => void;
  /** The connection ends because of `error`: hostile input or an unreadable file. */
  readonly onFailure: (error: unknown) => void;
}

/** One admitted connection of one torrent: limits, back-pressure and checks between its stream and webtorrent's wire. */
export class PeerLink implements Link {
  readonly device: DeviceKey;
  readonly route: Route;
  readonly weDialled: boolean;
  /** Admitted by nobody: the item was opened to other programs. */
  readonly isStranger: boolean;
  readonly id: string;
  readonly wire: PeerWire;
  readonly #deps: PeerLinkDeps;
  /** What we asked for. */
  readonly requests: BlockRequests;
  readonly #uploads: Uploads;
  readonly #abort = new AbortController();
  readonly #manners: Manners;
  readonly #liveness = new Liveness();
  readonly #bornMs: number;
  #heardMs: number;
  #movedMs: number;
  #isLetGo = false;
  #resting: 'limit' | 'unsent' | null = null;
  #brokeInUse = false;
  #corked = false;
  #unsent = 0;
  readonly #onSent = (): void => {
    this.#unsent -= 1;
  };

  constructor(deps: PeerLinkDeps) {
    this.#deps = deps;
    this.device = deps.device;
    this.route = deps.route;
    this.weDialled = deps.weDialled;
    this.isStranger = deps.strangersId !== undefined;
    this.id = deps.wire.id;
    this.wire = deps.wire;
    this.#bornMs = deps.clock.monotonic();
    this.#heardMs = this.#bornMs;
    this.#movedMs = this.#bornMs;
    this.#manners = new Manners(deps);
    deps.buckets.connections.opened(deps.device);
    this.#uploads = this.#createUploads();
    this.requests = this.#createRequests();
    this.#takeOverWire();
    this.#takeOverInput();
    deps.stream.once('close', () => {
      deps.buckets.connections.closed(deps.device);
      this.#brokeInUse = !this.#isLetGo && this.#isInUse;
      this.#abort.abort();
      this.requests.forgetAll();
      this.#uploads[Symbol.dispose]();
    });
  }

  /**
   * Both sides send at least a keep-alive every 55 s: who is silent for longer is gone, whatever the system says. Where
   * our own limit lets us read nothing, nobody is silent.
   */
  get silentMs(): number {
    return this.#resting === 'limit' ? 0 : this.#deps.clock.monotonic() - this.#heardMs;
  }

  get rates(): Link['rates'] {
    return this.wire.rates;
  }

  get moved(): Link['moved'] {
    return this.wire.moved;
  }

  /** Since the last block, in either direction. */
  get idleMs(): number {
    return this.#deps.clock.monotonic() - this.#movedMs;
  }

  get ageMs(): number {
    return this.#deps.clock.monotonic() - this.#bornMs;
  }

  /** Answers are overdue: the other end, or the network between, may be gone. */
  get isSuspect(): boolean {
    return this.#liveness.isSuspect;
  }

  /** The device at the other end gives hardly anything of this torrent (`Giving`). */
  get isBarren(): boolean {
    return this.#deps.giving.isBarren(this.device);
  }

  /** Our own limit holds back what the other end would give. */
  get isResting(): boolean {
    return this.#resting !== null;
  }

  /** Whether it was we who ended it. */
  get isLetGo(): boolean {
    return this.#isLetGo;
  }

  /** Whether it has ended, and not by us, while blocks were owed or had just moved in either direction. */
  get brokeInUse(): boolean {
    return this.#brokeInUse;
  }

  /** Once a second. */
  tick(): void {
    // Under a limit we do not even look whether there is something to hear.
    if (this.isResting) this.#liveness.heard();
    else if (this.requests.stalledMs > STALLED_MS)
      this.#fail(new AppError('timed-out', 'peer sends nothing it was asked for'));
    if (this.#deps.isForeign === true || this.isStranger) return;
    if (this.#liveness.tick(this.#isWaiting) && !this.wire.isClosed) this.wire.keepAlive();
    // It changes nothing, and is answered as any message is.
    if (this.#liveness.isQuestionDue && !this.wire.amChoking) this.#push(unchokeMessage());
  }

  destroy(): void {
    this.#isLetGo = true;
    this.wire.destroy();
  }

  /** Blocks are owed in either direction. */
  get #isWaiting(): boolean {
    return this.requests.length > 0 || this.#uploads.isOwing;
  }

  get #isInUse(): boolean {
    // What has just been sent may still be on its way, and owed to the other end.
    const justMoved = this.#movedMs > this.#bornMs && this.idleMs < JUST_MS;
    return this.#isWaiting || justMoved || this.isSuspect;
  }

  #createUploads(): Uploads {
    const { buckets, device, geometry } = this.#deps;
    return new Uploads({
      bucket: buckets.up,
      pieceBytes: geometry.pieceSize(0),
      connections: () => ({ all: buckets.connections.count, ofDevice: buckets.connections.of(device) }),
      borrow: this.#deps.borrow,
      send: ({ index, offset }, block, sent) => this.#sendBlock(index, offset, block, sent),
      reject: ({ index, offset, length }) => this.#reject({ piece: index, offset, length }),
      onFailure: (error) => this.#fail(error),
    });
  }

  #createRequests(): BlockRequests {
    const { wire, device, clock, giving } = this.#deps;
    return new BlockRequests({
      clock,
      device,
      ask: (block) => void this.#push(requestMessage(block)),
      takeBack: (block) => void this.#push(cancelMessage(block)),
      onArrived: (assembly, bytes) => {
        wire.gotBlock(bytes);
        giving.gave(device, bytes);
        this.#movedMs = clock.monotonic();
        this.#deps.onBlock(assembly);
      },
    });
  }

  /** Requests wait in our own queue instead of being answered all at once into the stream's buffer. */
  #takeOverWire(): void {
    const { wire, exchange, onPieces, onHave, onChoking } = this.#deps;
    wire.takeOver(
      {
        send: (bytes) => this.#push(bytes),
        onRequest: (block) => this.#requested(block),
        onCancel: ({ piece, offset, length }) => this.#uploads.cancel({ index: piece, offset, length }),
        onReject: (block) => {
          if (wire.hasFast) this.requests.rejected(block);
          else this.#fail(new AppError('bad-input', 'peer rejects without the Fast Extension'));
        },
        onChoked: () => this.#uploads.rejectAll(),
        onExtended: (extension, bytes) => {
          if (extension === 0) readCapacity(bytes, this.requests.capacity);
          exchange?.receive(extension, bytes);
        },
        onPieces,
        onHave,
        onChoking: () => {
          onChoking();
          // BEP 6: with the extension each request is rejected by itself.
          if (!wire.hasFast) this.requests.forgetAll();
        },
      },
      OUR_HANDSHAKE,
    );
    exchange?.arm({ offer: (mapping, more) => wire.offer(mapping, more), send: (bytes) => this.#push(bytes) });
  }

  #requested({ piece, offset, length }: BlockHeader): void {
    if (this.wire.amChoking || !this.#deps.have(piece)) this.#reject({ piece, offset, length });
    else if (!this.#uploads.request({ index: piece, offset, length })) {
      this.#fail(new AppError('bad-input', 'peer asks for more than it may'));
    }
  }

  #reject(block: BlockHeader): void {
    if (this.wire.hasFast) this.wire.reject(block);
  }

  /** What the wire sends goes straight to the stream, all of one tick in one write. */
  #push(chunk: Uint8Array): boolean {
    const { stream, wire, buckets } = this.#deps;
    if (stream.destroyed) return false;
    wire.sent(chunk.length);
    this.#liveness.sent(chunk.length === KEEP_ALIVE_BYTES);
    buckets.up.debit(chunk.length);
    this.#cork();
    this.#unsent += 1;
    return stream.write(chunk, this.#onSent);
  }

  /** The limit was asked before, and the memory of the block is somebody else's until it is sent. */
  #sendBlock(piece: number, offset: number, block: Uint8Array, sent: () => void): void {
    const { stream, wire, clock } = this.#deps;
    if (stream.destroyed) {
      sent();
      return;
    }
    const header = blockHeader(piece, offset, block.length);
    this.#cork();
    stream.write(header);
    stream.write(block, sent);
    this.#liveness.gave();
    this.#movedMs = clock.monotonic();
    wire.gaveBlock(block.length);
    wire.sent(header.length + block.length);
  }

  #cork(): void {
    if (this.#corked) return;
    const { stream } = this.#deps;
    this.#corked = true;
    stream.cork();
    setImmediate(() => {
      this.#corked = false;
      stream.uncork();
    });
  }

  #takeOverInput(): void {
    const { stream, wire, geometry, buckets } = this.#deps;
    const framer = new WireFramer({
      pieceCount: geometry.pieceCount,
      // What the wire keeps is copied: the chunk's memory is used again.
      onHandshake: (bytes) => wire.handshake(new Uint8Array(bytes)),
      onMessage: (bytes) => {
        this.#liveness.gotMessage();
        this.#manners.check(bytes[0] ?? -1);
        dispatchMessage(wire, bytes[0] === BITFIELD ? new Uint8Array(bytes) : bytes, geometry);
      },
      onBlock: (header) => this.#beginBlock(header),
    });
    const take = (chunk: Buffer): void => {
      if (wire.isClosed) return;
      this.#heardMs = this.#deps.clock.monotonic();
      this.#liveness.heard();
      wire.received(chunk.length);
      buckets.down.debit(chunk.length);
      try {
        framer.push(chunk);
      } catch (error) {
        this.#fail(error);
        return;
      }
      if (!buckets.down.open) this.#rest('limit', buckets.down.take(0, this.#abort.signal));
      else if (this.#unsent > MOST_UNSENT) this.#rest('unsent', drained(stream, this.#abort.signal));
    };
    let isDirect = false;
    stream.on('data', (chunk: Buffer) => {
      take(chunk);
      // What came before the admission was over lies in the stream and comes this way.
      if (!isDirect && !stream.destroyed) isDirect = readIntoOneBuffer(stream, take);
    });
    stream.resume();
  }

  #beginBlock(header: BlockHeader): BlockSink {
    this.#liveness.gotMessage();
    checkBlock(header.piece, header.offset, header.length, this.#deps.geometry);
    return this.requests.receive(header);
  }

  #rest(why: 'limit' | 'unsent', ready: Promise<void>): void {
    const { stream, clock } = this.#deps;
    stream.pause();
    this.#resting = why;
    const goOn = (): void => {
      this.#resting = null;
      if (why === 'limit') {
        this.#heardMs = clock.monotonic();
        this.requests.rested();
      }
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
