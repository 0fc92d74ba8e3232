// BEP 3: peer wire protocol, framing
import { Duplex } from 'node:stream';
import { lengthOf } from './wire-messages.ts';
import { WireFramer } from './wire-framer.ts';

const PROTOCOL_LENGTH = Buffer.of(19);

export interface StockStreamDeps {
  readonly pieceCount: number;
  /** webtorrent's handshake, without its first byte. */
  readonly onHandshake: (bytes: Uint8Array) => void;
  /** A message of webtorrent's, without its length; keep-alives are swallowed. */
  readonly onMessage: (bytes: Uint8Array) => void;
  /** webtorrent takes bytes again. */
  readonly onTake: () => void;
  readonly onEnd: () => void;
}

/**
 * The connection as webtorrent is given it: it reads what `handshake` and `message` say, whole messages only, and what it
 * writes comes out as messages. Between both and the network stands whoever made it.
 */
export class StockStream extends Duplex {
  /** webtorrent takes streams of this form: named, and connected from the beginning. */
  readonly id: string;
  readonly connected = true;
  readonly #deps: StockStreamDeps;
  readonly #framer: WireFramer;

  constructor(id: string, deps: StockStreamDeps) {
    super();
    this.id = id;
    this.#deps = deps;
    const { pieceCount, onHandshake, onMessage } = deps;
    this.#framer = new WireFramer({ pieceCount, onHandshake, onMessage });
  }

  /** Without its first byte. False when webtorrent takes no more for the moment. */
  handshake(bytes: Uint8Array): boolean {
    this.push(PROTOCOL_LENGTH);
    return this.push(bytes);
  }

  /** Without its length; the memory is kept. False when webtorrent takes no more for the moment. */
  message(bytes: Uint8Array): boolean {
    this.push(lengthOf(bytes));
    return this.push(bytes);
  }

  override _read(): void {
    this.#deps.onTake();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    try {
      this.#framer.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
    } catch (error) {
      done(error instanceof Error ? error : new Error('webtorrent says what is no message'));
      return;
    }
    // Small messages, about pieces that move: whoever does not read them is not listened to either.
    done();
  }

  override _final(done: () => void): void {
    done();
    this.#deps.onEnd();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    done(error);
    this.#deps.onEnd();
  }
}
