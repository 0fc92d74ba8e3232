// BEP 3: requests, BEP 6: rejects
import type { Clock } from '../base/clock.ts';
import type { DeviceKey } from '../base/id.ts';
import type { Assembly, BlockRange } from './assembly.ts';
import { UNIT_BYTES } from './assembly.ts';
import type { BlockHeader, BlockSink } from './wire-framer.ts';

/** Time's worth of requests kept outstanding: short while somebody watches, so that a seek is not behind them. */
const READING_MS = 200;
const BACKGROUND_MS = 1000;
const SMALLEST_WINDOW = 4 * UNIT_BYTES;
const LARGEST_WINDOW = 8 * 1024 * 1024;
/** The same until a piece of this peer was right. */
const UNPROVEN_WINDOW = 1024 * 1024;
/** A block is a small part of what is outstanding, so that a slow connection is asked for little at a time. */
const BLOCKS_PER_WINDOW = 16;
/** Under this share of the window more is asked for: whole handfuls of requests leave in one write. */
const LOW_WATER = 0.75;
/** Blocks that nobody asked for are read over. */
const IGNORED: BlockSink = { write: () => undefined, end: () => undefined };

export interface BlockRequestsDeps {
  readonly clock: Clock;
  readonly device: DeviceKey;
  readonly ask: (block: BlockHeader) => void;
  readonly takeBack: (block: BlockHeader) => void;
  /** A block is in its piece. */
  readonly onArrived: (assembly: Assembly, bytes: number) => void;
}

/** What the other end told that it keeps. */
export interface PeerCapacity {
  /** Requests. */
  queue: number;
  /** Bytes of the largest block it answers with. */
  block: number;
}

interface Pending extends BlockHeader {
  readonly assembly: Assembly;
  readonly atMs: number;
}

/**
 * What one connection was asked for and has not sent yet. How much that may be follows from how long answers take: it
 * grows while they come sooner than wanted and shrinks while they come later.
 */
export class BlockRequests {
  readonly #deps: BlockRequestsDeps;
  readonly capacity: PeerCapacity = { queue: 250, block: UNIT_BYTES };
  #pending: Pending[] = [];
  #bytes = 0;
  #window = SMALLEST_WINDOW;
  #isReading = false;
  #isProven = false;
  #heardMs = 0;
  #answerMs = 0;
  #isLate = false;

  constructor(deps: BlockRequestsDeps) {
    this.#deps = deps;
  }

  get length(): number {
    return this.#pending.length;
  }

  /** Somebody waits for what is asked for here. */
  set isReading(reading: boolean) {
    this.#isReading = reading;
  }

  /** A piece with blocks from here was right. */
  prove(): void {
    this.#isProven = true;
  }

  /** How long nothing has come of what was asked for, in milliseconds. */
  get stalledMs(): number {
    const [oldest] = this.#pending;
    if (oldest === undefined) return 0;
    return this.#deps.clock.monotonic() - Math.max(oldest.atMs, this.#heardMs);
  }

  /** Nothing could be heard until now, because of our own limit. */
  rested(): void {
    this.#heardMs = this.#deps.clock.monotonic();
  }

  /** Whether it is time to ask for more, as often as `hasRoom`. */
  get isLow(): boolean {
    return this.hasRoom && this.#bytes <= this.#window * LOW_WATER;
  }

  get hasRoom(): boolean {
    return this.#bytes < this.#window && this.#pending.length < this.capacity.queue;
  }

  /** Bytes that may be asked for at this moment. */
  get room(): number {
    return Math.max(0, this.#window - this.#bytes);
  }

  /** How long the last block took to come, 0 before the first. */
  get answerMs(): number {
    return this.#answerMs;
  }

  /** Blocks were taken back because they were late, and none has come since. */
  get isLate(): boolean {
    return this.#isLate;
  }

  /** Bytes to ask for at a time. */
  get blockBytes(): number {
    return Math.max(UNIT_BYTES, Math.min(this.capacity.block, this.#window / BLOCKS_PER_WINDOW));
  }

  ask(assembly: Assembly, { offset, length }: BlockRange): void {
    const block = { piece: assembly.piece, offset, length };
    this.#pending.push({ ...block, assembly, atMs: this.#deps.clock.monotonic() });
    this.#bytes += length;
    this.#deps.ask(block);
  }

  /** Where the bytes of a block go. */
  receive(header: BlockHeader): BlockSink {
    const index = this.#find(header);
    const pending = this.#pending[index];
    if (pending === undefined) return IGNORED;
    let at = pending.offset;
    return {
      write: (chunk, start, end) => {
        // Taken back meanwhile: its place may belong to somebody else by now.
        if (this.#pending.includes(pending)) chunk.copy(pending.assembly.bytes, at, start, end);
        at += end - start;
      },
      end: () => {
        if (this.#remove(pending)) this.#arrived(pending);
      },
    };
  }

  rejected(header: BlockHeader): void {
    const pending = this.#pending[this.#find(header)];
    if (pending !== undefined && this.#remove(pending)) pending.assembly.release(pending);
  }

  /** Takes back what `drops` names, and tells the other end. */
  takeBack(drops: (block: BlockHeader) => boolean): void {
    for (const pending of this.#pending.filter((each) => drops(each))) {
      if (!this.#remove(pending)) continue;
      pending.assembly.release(pending);
      this.#deps.takeBack({ piece: pending.piece, offset: pending.offset, length: pending.length });
    }
  }

  /**
   * Takes back what has been waited for longer than `ms`, of the pieces that `isWanted` names: about `mostBytes`, what
   * was asked for last first. Gives what that was.
   */
  takeBackLate(ms: number, mostBytes: number, isWanted: (piece: number) => boolean): ReadonlySet<BlockHeader> {
    const beforeMs = this.#deps.clock.monotonic() - ms;
    const late = new Set<BlockHeader>();
    if ((this.#pending[0]?.atMs ?? Infinity) > beforeMs) return late;
    let bytes = 0;
    for (const pending of this.#pending.toReversed()) {
      if (bytes >= mostBytes) break;
      if (pending.atMs > beforeMs || !isWanted(pending.piece)) continue;
      bytes += pending.length;
      late.add(pending);
    }
    if (bytes > 0) this.#isLate = true;
    this.takeBack((block) => late.has(block));
    return late;
  }

  /** Nothing of it will come any more. */
  forgetAll(): void {
    for (const pending of this.#pending) pending.assembly.release(pending);
    this.#pending = [];
    this.#bytes = 0;
  }

  #arrived(pending: Pending): void {
    const nowMs = this.#deps.clock.monotonic();
    this.#heardMs = nowMs;
    this.#answerMs = nowMs - pending.atMs;
    this.#isLate = false;
    const isSoon = nowMs - pending.atMs < (this.#isReading ? READING_MS : BACKGROUND_MS);
    const window = isSoon ? this.#window + pending.length : this.#window - pending.length;
    this.#window = Math.max(SMALLEST_WINDOW, Math.min(this.#isProven ? LARGEST_WINDOW : UNPROVEN_WINDOW, window));
    pending.assembly.arrived(pending, this.#deps.device);
    this.#deps.onArrived(pending.assembly, pending.length);
  }

  #find({ piece, offset, length }: BlockHeader): number {
    return this.#pending.findIndex((it) => it.piece === piece && it.offset === offset && it.length === length);
  }

  #remove(pending: Pending): boolean {
    const index = this.#pending.indexOf(pending);
    if (index === -1) return false;
    this.#pending.splice(index, 1);
    this.#bytes -= pending.length;
    return true;
  }
}
