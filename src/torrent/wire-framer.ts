// BEP 3: peer wire protocol, framing
import { AppError } from '../base/errors.ts';

/** The handshake: protocol name, reserved bits, info hash, peer id. */
const HANDSHAKE_BYTES = 68;
const PROTOCOL = Buffer.from('\u0013BitTorrent protocol', 'latin1');
/** A block with its header is the longest message that is asked for. */
const LONGEST_FIXED = 128 * 1024 + 9;
const PIECE = 7;
/** Message id, piece, offset: what stands before the bytes of a block. */
const BLOCK_HEADER_BYTES = 9;

export interface BlockHeader {
  readonly piece: number;
  readonly offset: number;
  readonly length: number;
}

/** Where the bytes of one block go as they arrive. */
export interface BlockSink {
  /** `chunk` from `start` to `end` are the next bytes; the chunk's memory is used again afterwards. */
  write(chunk: Buffer, start: number, end: number): void;
  end(): void;
}

export interface FramerDeps {
  /** The handshake without its first byte. */
  readonly onHandshake: (bytes: Uint8Array) => void;
  /** One message without its length; keep-alives are swallowed. */
  readonly onMessage: (bytes: Uint8Array) => void;
  /** A block begins. Left out = blocks are messages like others. */
  readonly onBlock?: (header: BlockHeader) => BlockSink;
  /** Pieces of the torrent: a bitfield is longer than every other message of a large torrent. */
  readonly pieceCount: number;
}

type Phase = 'handshake' | 'length' | 'message' | 'block-header' | 'block';

/**
 * Cuts a peer's bytes into messages without joining chunks, and hands the bytes of blocks on where they stand; fails
 * with `bad-input` on what no honest peer sends. Messages are views of the chunk unless they were cut by its end.
 */
export class WireFramer {
  readonly #deps: FramerDeps;
  readonly #longest: number;
  #wanted = HANDSHAKE_BYTES;
  #phase: Phase = 'handshake';
  #pending: Buffer | null = null;
  #pendingLength = 0;
  #blockBytes = 0;
  #sink: BlockSink | null = null;

  constructor(deps: FramerDeps) {
    this.#deps = deps;
    this.#longest = Math.max(LONGEST_FIXED, Math.ceil(deps.pieceCount / 8) + 1);
  }

  push(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#phase === 'message' && this.#pendingLength === 0 && chunk[offset] === PIECE) this.#beginBlock();
      if (this.#phase === 'block') {
        offset = this.#fill(chunk, offset);
        continue;
      }
      const taken = Math.min(this.#wanted - this.#pendingLength, chunk.length - offset);
      const part = chunk.subarray(offset, offset + taken);
      offset += taken;
      if (taken === this.#wanted) {
        this.#unit(part);
        continue;
      }
      this.#pending ??= Buffer.allocUnsafeSlow(this.#wanted);
      this.#pending.set(part, this.#pendingLength);
      this.#pendingLength += taken;
      if (this.#pendingLength < this.#wanted) return;
      const whole = this.#pending;
      this.#pending = null;
      this.#pendingLength = 0;
      this.#unit(whole);
    }
  }

  #unit(bytes: Buffer): void {
    if (this.#phase === 'handshake') {
      if (PROTOCOL.some((byte, index) => bytes[index] !== byte)) {
        throw new AppError('bad-input', 'not the BitTorrent protocol');
      }
      this.#expect('length', 4);
      this.#deps.onHandshake(bytes.subarray(1));
    } else if (this.#phase === 'length') {
      const length = bytes.readUInt32BE(0);
      if (length > this.#longest) throw new AppError('bad-input', 'message is too long', { length });
      if (length > 0) this.#expect('message', length);
    } else if (this.#phase === 'block-header') {
      const header = { piece: bytes.readUInt32BE(1), offset: bytes.readUInt32BE(5), length: this.#blockBytes };
      this.#expect('block', header.length);
      this.#sink = this.#deps.onBlock?.(header) ?? null;
    } else {
      this.#expect('length', 4);
      this.#deps.onMessage(bytes);
    }
  }

  /** A block without bytes is left to whoever judges messages. */
  #beginBlock(): void {
    if (this.#deps.onBlock === undefined || this.#wanted <= BLOCK_HEADER_BYTES) return;
    this.#blockBytes = this.#wanted - BLOCK_HEADER_BYTES;
    this.#expect('block-header', BLOCK_HEADER_BYTES);
  }

  /** Gives where the block's bytes end in this chunk. */
  #fill(chunk: Buffer, start: number): number {
    const end = Math.min(start + this.#wanted, chunk.length);
    const sink = this.#sink;
    this.#wanted -= end - start;
    sink?.write(chunk, start, end);
    if (this.#wanted === 0) {
      this.#sink = null;
      this.#expect('length', 4);
      sink?.end();
    }
    return end;
  }

  #expect(phase: Phase, wanted: number): void {
    this.#phase = phase;
    this.#wanted = wanted;
  }
}
