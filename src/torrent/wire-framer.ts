// BEP 3: peer wire protocol, framing
import { AppError } from '../base/errors.ts';

/** The handshake: protocol name, reserved bits, info hash, peer id. */
const HANDSHAKE_BYTES = 68;
const PROTOCOL = Buffer.from('\u0013BitTorrent protocol', 'latin1');
/** A block of 16 KiB with its header is the longest thing asked for; blocks up to 128 KiB are served by others. */
const LONGEST_FIXED = 128 * 1024 + 9;

export interface FramerDeps {
  /** The handshake without its first byte. */
  readonly onHandshake: (bytes: Uint8Array) => void;
  /** One message without its length; keep-alives are swallowed. */
  readonly onMessage: (bytes: Uint8Array) => void;
  /** Pieces of the torrent: a bitfield is longer than every other message of a large torrent. */
  readonly pieceCount: number;
}

/** Cuts a peer's bytes into messages without joining chunks; fails with `bad-input` on what no honest peer sends. */
export class WireFramer {
  readonly #deps: FramerDeps;
  readonly #longest: number;
  #wanted = HANDSHAKE_BYTES;
  #phase: 'handshake' | 'length' | 'message' = 'handshake';
  #pending: Uint8Array | null = null;
  #pendingLength = 0;

  constructor(deps: FramerDeps) {
    this.#deps = deps;
    this.#longest = Math.max(LONGEST_FIXED, Math.ceil(deps.pieceCount / 8) + 1);
  }

  push(chunk: Uint8Array): void {
    let offset = 0;
    while (offset < chunk.length) {
      const taken = Math.min(this.#wanted - this.#pendingLength, chunk.length - offset);
      const part = chunk.subarray(offset, offset + taken);
      offset += taken;
      if (taken === this.#wanted) {
        this.#unit(part);
        continue;
      }
      this.#pending ??= new Uint8Array(this.#wanted);
      this.#pending.set(part, this.#pendingLength);
      this.#pendingLength += taken;
      if (this.#pendingLength < this.#wanted) return;
      const whole = this.#pending;
      this.#pending = null;
      this.#pendingLength = 0;
      this.#unit(whole);
    }
  }

  #unit(bytes: Uint8Array): void {
    if (this.#phase === 'handshake') {
      if (PROTOCOL.some((byte, index) => bytes[index] !== byte)) {
        throw new AppError('bad-input', 'not the BitTorrent protocol');
      }
      this.#expect('length', 4);
      this.#deps.onHandshake(bytes.subarray(1));
    } else if (this.#phase === 'length') {
      const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
      if (length > this.#longest) throw new AppError('bad-input', 'message is too long', { length });
      if (length > 0) this.#expect('message', length);
    } else {
      this.#expect('length', 4);
      this.#deps.onMessage(bytes);
    }
  }

  #expect(phase: 'length' | 'message', wanted: number): void {
    this.#phase = phase;
    this.#wanted = wanted;
  }
}
