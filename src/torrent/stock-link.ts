// BEP 3: peer messages, BEP 6: Fast Extension, BEP 10: Extension Protocol
import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey } from '../base/id.ts';
import { encode } from './bencode/bencode.ts';
import type { PeerCapacity } from './block-requests.ts';
import { UNIT_BYTES } from './assembly.ts';
import type { ConnectionInfo } from './connection-info.ts';
import { drained } from './drained.ts';
import type { Giving } from './giving.ts';
import type { HeldPiece } from './held-piece.ts';
import type { Link } from './link.ts';
import { Liveness } from './liveness.ts';
import { Manners } from './manners.ts';
import { MESSAGE, SAID } from './message-ids.ts';
import type { Buckets } from './peer-link.ts';
import { RateMeter } from './rate-meter.ts';
import type { Route } from './route.ts';
import { hasExtensions, hasFast, PEER_ID_AT } from './handshake-bits.ts';
import { StockStream } from './stock-stream.ts';
import { Uploads } from './uploads.ts';
import type { BlockHeader } from './wire-framer.ts';
import { WireFramer } from './wire-framer.ts';
import type { WireGeometry } from './wire-guard.ts';
import { judgeMessage, OUR_HANDSHAKE, readCapacity } from './wire-guard.ts';
import { blockHeader, blockOf, framed, keyOf, pieceOf, rejectMessage, unchokeMessage } from './wire-messages.ts';

const KEEP_ALIVE = Buffer.alloc(4);
/** BEP 3: two minutes of silence end a connection. */
const KEEP_ALIVE_MS = 50_000;
/** Answers written and not yet sent, above which nothing more is read. */
const MOST_UNSENT = 4096;
const JUST_MS = 2_000;

export interface StockLinkDeps extends ConnectionInfo {
  readonly id: string;
  readonly stream: Duplex;
  readonly geometry: WireGeometry;
  readonly buckets: Buckets;
  readonly giving: Giving;
  readonly clock: Clock;
  readonly have: (piece: number) => boolean;
  readonly borrow: (piece: number, signal: AbortSignal) => Promise<HeldPiece>;
  /** webtorrent asks the other end for a block. */
  readonly onAsked: (block: BlockHeader) => void;
  /** A block that it asked for is here. */
  readonly onBlock: (block: BlockHeader) => void;
  /** The other end says what it holds, in BEP 3 bit order; null = everything. */
  readonly onPieces: (bitfield: Uint8Array | null) => void;
  readonly onHave: (piece: number) => void;
  /** The connection ends because of `error`: hostile input or an unreadable file. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * One admitted connection whose pieces webtorrent fetches itself. Only checked messages reach it, and what it says is
 * checked too; requests of the other end are answered here, under our limits, from pieces that were checked.
 */
export class StockLink implements Link {
  readonly device: DeviceKey;
  readonly route: Route;
  readonly weDialled: boolean;
  readonly isStranger: boolean;
  readonly stream: StockStream;
  readonly #deps: StockLinkDeps;
  readonly #capacity: PeerCapacity = { queue: 250, block: UNIT_BYTES };
  readonly #uploads: Uploads;
  readonly #manners: Manners;
  readonly #liveness = new Liveness();
  readonly #abort = new AbortController();
  readonly #asked = new Set<string>();
  readonly #resting = new Set<'limit' | 'unsent' | 'webtorrent' | 'disk'>();
  readonly #down: RateMeter;
  readonly #up: RateMeter;
  readonly #bornMs: number;
  #heardMs: number;
  #movedMs: number;
  #saidMs: number;
  #unsent = 0;
  #amChoking = true;
  #ours: Uint8Array | null = null;
  #theirs: Uint8Array | null = null;
  #isLetGo = false;
  #brokeInUse = false;

  constructor(deps: StockLinkDeps) {
    this.#deps = deps;
    this.device = deps.device;
    this.route = deps.route;
    this.weDialled = deps.weDialled;
    this.isStranger = deps.strangersId !== undefined;
    this.#bornMs = deps.clock.monotonic();
    this.#heardMs = this.#bornMs;
    this.#movedMs = this.#bornMs;
    this.#saidMs = this.#bornMs;
    this.#manners = new Manners(deps);
    this.#down = new RateMeter(deps);
    this.#up = new RateMeter(deps);
    this.#uploads = this.#createUploads();
    deps.buckets.connections.opened(deps.device);
    const { stream } = deps;
    this.stream = new StockStream(deps.id, {
      pieceCount: deps.geometry.pieceCount,
      onHandshake: (bytes) => this.#shake(bytes),
      onMessage: (bytes) => this.#said(bytes),
      onTake: () => this.#rest('webtorrent', false),
      onEnd: () => stream.destroy(),
    });
    this.stream.on('error', () => undefined);
    stream.on('error', () => undefined);
    stream.once('close', () => this.#closed());
  }

  /** Begins to read what the other end says, once webtorrent has the connection. */
  begin(): void {
    const { stream, geometry } = this.#deps;
    const framer = new WireFramer({
      pieceCount: geometry.pieceCount,
      onHandshake: (bytes) => this.#greeted(new Uint8Array(bytes)),
      onMessage: (bytes) => this.#heard(bytes),
    });
    stream.on('data', (chunk: Buffer) => this.#take(framer, chunk));
    if (this.#resting.size === 0) stream.resume();
  }

  get rates(): Link['rates'] {
    return { down: this.#down.rate, up: this.#up.rate };
  }

  get moved(): Link['moved'] {
    return { down: this.#down.total, up: this.#up.total };
  }

  get silentMs(): number {
    return this.#resting.has('limit') ? 0 : this.#deps.clock.monotonic() - this.#heardMs;
  }

  get idleMs(): number {
    return this.#deps.clock.monotonic() - this.#movedMs;
  }

  get ageMs(): number {
    return this.#deps.clock.monotonic() - this.#bornMs;
  }

  get isSuspect(): boolean {
    return this.#liveness.isSuspect;
  }

  get isBarren(): boolean {
    return this.#deps.giving.isBarren(this.device);
  }

  /** Nothing is read for the moment, and that is not the other end's doing. */
  get isResting(): boolean {
    return this.#resting.size > 0;
  }

  get isLetGo(): boolean {
    return this.#isLetGo;
  }

  /** Whether it has ended, and not by us, while blocks were owed or had just moved in either direction. */
  get brokeInUse(): boolean {
    return this.#brokeInUse;
  }

  /** While the disk is behind nothing more is read. */
  waitForDisk(isBehind: boolean): void {
    this.#rest('disk', isBehind);
  }

  /** Once a second. */
  tick(): void {
    if (this.isResting) this.#liveness.heard();
    const isQuiet = this.#deps.clock.monotonic() - this.#saidMs > KEEP_ALIVE_MS;
    const speaksToMembers = this.#deps.isForeign !== true && !this.isStranger;
    const isDue = speaksToMembers && this.#liveness.tick(this.#isWaiting);
    if (this.#ours === null) return;
    if (isDue || isQuiet) this.#send(KEEP_ALIVE);
    // It changes nothing, and is answered as any message is.
    if (speaksToMembers && this.#liveness.isQuestionDue && !this.#amChoking) this.#send(unchokeMessage());
  }

  destroy(): void {
    this.#isLetGo = true;
    this.#deps.stream.destroy();
  }

  get #isWaiting(): boolean {
    return this.#asked.size > 0 || this.#uploads.isOwing;
  }

  get #hasFast(): boolean {
    return hasFast(this.#ours) && hasFast(this.#theirs);
  }

  #createUploads(): Uploads {
    const { buckets, device, geometry, borrow } = this.#deps;
    return new Uploads({
      bucket: buckets.up,
      pieceBytes: geometry.pieceSize(0),
      connections: () => ({ all: buckets.connections.count, ofDevice: buckets.connections.of(device) }),
      borrow,
      send: ({ index, offset }, block, sent) => this.#give(index, offset, block, sent),
      reject: ({ index, offset, length }) => this.#reject({ piece: index, offset, length }),
      onFailure: (error) => this.#fail(error),
    });
  }

  #closed(): void {
    this.#deps.buckets.connections.closed(this.device);
    const justMoved = this.#movedMs > this.#bornMs && this.idleMs < JUST_MS;
    this.#brokeInUse = !this.#isLetGo && (this.#isWaiting || justMoved || this.isSuspect);
    this.#abort.abort();
    this.#asked.clear();
    this.#uploads[Symbol.dispose]();
    this.stream.destroy();
  }

  /** webtorrent greets the other end. */
  #shake(bytes: Uint8Array): void {
    const ours = new Uint8Array(bytes);
    const { strangersId } = this.#deps;
    if (strangersId !== undefined) ours.set(strangersId, PEER_ID_AT);
    this.#ours = ours;
    this.#send(Buffer.concat([Buffer.of(19), ours]));
    this.#greetByExtension();
  }

  #greeted(bytes: Uint8Array): void {
    this.#theirs = bytes;
    this.#greetByExtension();
    this.#hand(this.stream.handshake(bytes));
  }

  /** BEP 10: once both have said that they speak it. */
  #greetByExtension(): void {
    if (!hasExtensions(this.#theirs) || this.#ours === null) return;
    this.#sendMessage(Buffer.concat([Buffer.of(MESSAGE.extended, 0), encode({ ...OUR_HANDSHAKE, m: {} })]));
  }

  /** What webtorrent says. */
  #said(message: Uint8Array): void {
    const id = message[0] ?? -1;
    if (!SAID.has(id)) return;
    if (id === MESSAGE.choke || id === MESSAGE.unchoke) this.#amChoking = id === MESSAGE.choke;
    if (id === MESSAGE.request || id === MESSAGE.cancel) {
      const block = blockOf(message);
      if (id === MESSAGE.cancel) this.#asked.delete(keyOf(block));
      else {
        this.#asked.add(keyOf(block));
        this.#deps.onAsked(block);
      }
    }
    this.#sendMessage(message);
    if (id === MESSAGE.choke) this.#uploads.rejectAll();
  }

  #take(framer: WireFramer, chunk: Buffer): void {
    const { buckets, stream, clock } = this.#deps;
    this.#heardMs = clock.monotonic();
    this.#liveness.heard();
    buckets.down.debit(chunk.length);
    try {
      framer.push(chunk);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (!buckets.down.open) this.#restUntil('limit', buckets.down.take(0, this.#abort.signal));
    if (this.#unsent > MOST_UNSENT) this.#restUntil('unsent', drained(stream, this.#abort.signal));
  }

  /** What the other end says. */
  #heard(message: Uint8Array): void {
    if (this.#deps.stream.destroyed) return;
    this.#liveness.gotMessage();
    const id = message[0] ?? -1;
    this.#manners.check(id);
    const kind = judgeMessage(message, this.#deps.geometry);
    if (kind === 'extended') this.#heardExtended(message);
    if (kind !== 'known' || !this.#isForWebtorrent(id, message)) return;
    // A bitfield stays with it.
    this.#hand(this.stream.message(id === MESSAGE.bitfield ? new Uint8Array(message) : message));
  }

  /** Of the Extension Protocol webtorrent hears how much may be asked of the other end at once, and nothing else. */
  #heardExtended(message: Uint8Array): void {
    if (message[1] !== 0) return;
    readCapacity(message.subarray(2), this.#capacity);
    const { queue } = this.#capacity;
    this.#hand(this.stream.message(Buffer.concat([Buffer.of(MESSAGE.extended, 0), encode({ reqq: queue })])));
  }

  #isForWebtorrent(id: number, message: Uint8Array): boolean {
    if ((id === MESSAGE.reject || id === MESSAGE.haveAll || id === MESSAGE.haveNone) && !this.#hasFast) {
      throw new AppError('bad-input', 'peer uses the Fast Extension, which it did not offer', { id });
    }
    if (id === MESSAGE.request || id === MESSAGE.cancel) this.#heardRequest(id, blockOf(message));
    else if (id === MESSAGE.piece) return this.#got(pieceOf(message));
    else if (id === MESSAGE.reject) return this.#asked.delete(keyOf(blockOf(message)));
    else if (id === MESSAGE.bitfield) this.#deps.onPieces(new Uint8Array(message.subarray(1)));
    else if (id === MESSAGE.haveAll) this.#deps.onPieces(null);
    else if (id === MESSAGE.have) this.#deps.onHave(blockOf(message).piece);
    else if (id === MESSAGE.choke && !this.#hasFast) this.#asked.clear();
    return id !== MESSAGE.request && id !== MESSAGE.cancel;
  }

  #heardRequest(id: number, block: BlockHeader): void {
    const request = { index: block.piece, offset: block.offset, length: block.length };
    if (id === MESSAGE.cancel) this.#uploads.cancel(request);
    else if (this.#amChoking || !this.#deps.have(block.piece)) this.#reject(block);
    else if (!this.#uploads.request(request)) {
      this.#fail(new AppError('bad-input', 'peer asks for more than it may'));
    }
  }

  /** Blocks that nobody asked for are read over. */
  #got(block: BlockHeader): boolean {
    if (!this.#asked.delete(keyOf(block))) return false;
    this.#movedMs = this.#deps.clock.monotonic();
    this.#down.add(block.length);
    this.#deps.giving.gave(this.device, block.length);
    this.#deps.onBlock(block);
    return true;
  }

  #give(piece: number, offset: number, block: Uint8Array, sent: () => void): void {
    const { stream, clock } = this.#deps;
    if (stream.destroyed) {
      sent();
      return;
    }
    stream.write(blockHeader(piece, offset, block.length));
    stream.write(block, sent);
    this.#liveness.gave();
    this.#movedMs = clock.monotonic();
    this.#saidMs = this.#movedMs;
    this.#up.add(block.length);
  }

  #reject(block: BlockHeader): void {
    if (this.#hasFast) this.#send(rejectMessage(block));
  }

  #sendMessage(message: Uint8Array): void {
    this.#send(framed(message));
  }

  #send(bytes: Uint8Array): void {
    const { stream, buckets, clock } = this.#deps;
    if (stream.destroyed) return;
    this.#liveness.sent(bytes === KEEP_ALIVE);
    this.#saidMs = clock.monotonic();
    buckets.up.debit(bytes.length);
    this.#unsent += 1;
    stream.write(bytes, () => (this.#unsent -= 1));
  }

  #hand(isTaken: boolean): void {
    if (!isTaken) this.#rest('webtorrent', true);
  }

  #restUntil(why: 'limit' | 'unsent', ready: Promise<void>): void {
    this.#rest(why, true);
    // A rejected wait means the connection has closed meanwhile.
    ready.then(
      () => {
        if (why === 'limit') this.#heardMs = this.#deps.clock.monotonic();
        this.#rest(why, false);
      },
      () => undefined,
    );
  }

  #rest(why: 'limit' | 'unsent' | 'webtorrent' | 'disk', rests: boolean): void {
    const { stream } = this.#deps;
    const wasResting = this.isResting;
    if (rests) this.#resting.add(why);
    else this.#resting.delete(why);
    if (wasResting === this.isResting || stream.destroyed) return;
    if (this.isResting) stream.pause();
    else if (stream.listenerCount('data') > 0) stream.resume();
  }

  #fail(error: unknown): void {
    this.#deps.onFailure(error);
    this.destroy();
  }
}
