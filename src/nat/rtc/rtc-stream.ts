// Spherecast wire format, "Streams over data channels", version 1
import { Duplex } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import { Inbox } from './inbox.ts';
import type { NativeChannel } from './native-rtc.ts';
import { Outbox } from './outbox.ts';
import type { ReceiveBudget } from './receive-budget.ts';
import type { Control } from './stream-messages.ts';
import { decodeControl, encodeControl, FIRST_CREDIT, MESSAGE_COST, MOST_CREDIT } from './stream-messages.ts';

/** Enough to keep the library busy while this thread does something else. */
const MOST_BUFFERED = 2 ** 20;
const LOW_BUFFERED = 2 ** 18;
/** From `end()` until the other side has everything. */
const LINGER_MS = 10_000;

export interface RtcStreamDeps {
  readonly channel: NativeChannel;
  readonly clock: Clock;
  readonly budget: ReceiveBudget;
  /** Which side opened the channel. */
  readonly opened: 'here' | 'there';
}

/**
 * A stream of bytes over one data channel. A reader that pauses makes the sender wait. 'finish' means that the other
 * side has everything; a channel that closes before its end destroys the stream without an error, as after `destroy()`.
 */
export class RtcStream extends Duplex {
  readonly #channel: NativeChannel;
  readonly #clock: Clock;
  readonly #inbox: Inbox;
  readonly #outbox = new Outbox();
  readonly #closed = new AbortController();
  #credit = FIRST_CREDIT;
  #wanted = false;
  #isOpen = true;
  /** The library mixes up messages that come while the other side begins to listen, so until then one is all. */
  #isHeard: boolean;
  #hasSpoken = false;
  #isEndSent = false;
  #othersEnd = false;
  #isEndTold = false;
  #isLingering = false;
  /** Of the write that waits for credit or room. */
  #written: ((error?: Error) => void) | undefined;
  /** Of the end that waits for being acknowledged. */
  #finished: (() => void) | undefined;

  constructor(deps: RtcStreamDeps) {
    super({ allowHalfOpen: false });
    const { channel } = deps;
    this.#channel = channel;
    this.#clock = deps.clock;
    this.#isHeard = deps.opened === 'there';
    this.#inbox = new Inbox({
      budget: deps.budget,
      grant: (amount) => this.#steer({ kind: 'credit', amount }),
    });
    channel.setBufferedAmountLowThreshold(LOW_BUFFERED);
    channel.onBufferedAmountLow(() => this.#flush());
    channel.onError((message) => this.destroy(new AppError('disconnected', 'the data channel broke', { message })));
    channel.onClosed(() => this.#onClosed());
    channel.onMessage((message) => this.#onMessage(message));
    if (deps.opened === 'there') this.#steer({ kind: 'ready' });
  }

  override _read(): void {
    this.#wanted = true;
    this.#deliver();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#send([chunk], done);
  }

  override _writev(chunks: readonly { chunk: Uint8Array }[], done: (error?: Error) => void): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override end(chunk?: unknown, encoding?: unknown, callback?: unknown): this {
    super.end(chunk, encoding as never, callback as never);
    this.#linger();
    return this;
  }

  override _final(done: () => void): void {
    if (!this.#isOpen) return done();
    this.#finished = done;
    this.#sendEnd();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#isOpen = false;
    this.#closed.abort();
    this.#inbox.clear();
    this.#outbox.fill([]);
    this.#channel.close();
    done(error);
    this.#written?.(error ?? new AppError('disconnected', 'the stream is closed'));
  }

  #onMessage(message: string | Uint8Array | ArrayBuffer): void {
    if (this.destroyed) return;
    this.#onHeard();
    try {
      if (typeof message === 'string') {
        this.#onControl(decodeControl(message));
        return;
      }
      if (this.#othersEnd) throw new AppError('bad-input', 'bytes after the end of a stream');
      this.#inbox.put(message instanceof ArrayBuffer ? new Uint8Array(message) : message);
      this.#deliver();
    } catch (error) {
      this.destroy(error instanceof Error ? error : new AppError('internal', 'a message was not handled', {}, error));
    }
  }

  #onHeard(): void {
    if (this.#isHeard) return;
    this.#isHeard = true;
    this.#flush();
    this.#sendEnd();
  }

  #onControl(control: Control): void {
    if (control.kind === 'ready') return;
    if (control.kind === 'credit') {
      this.#credit += control.amount;
      if (this.#credit > MOST_CREDIT) throw new AppError('bad-input', 'too much credit');
      this.#flush();
      return;
    }
    if (control.kind === 'end') {
      this.#othersEnd = true;
      this.#steer({ kind: 'ended' });
      this.#deliver();
      return;
    }
    this.#finish();
  }

  /** After the other's end the closing is orderly; what was not read yet stays readable. */
  #onClosed(): void {
    this.#isOpen = false;
    if (this.#othersEnd && this.#outbox.isEmpty) this.#finish();
    else this.destroy();
  }

  #finish(): void {
    const finished = this.#finished;
    this.#finished = undefined;
    finished?.();
  }

  #deliver(): void {
    while (this.#wanted && !this.destroyed) {
      const bytes = this.#inbox.take();
      if (bytes === undefined) break;
      this.#wanted = this.push(bytes);
    }
    if (!this.#othersEnd || this.#isEndTold || !this.#inbox.isEmpty || this.destroyed) return;
    this.#isEndTold = true;
    this.push(null);
  }

  #send(chunks: readonly Uint8Array[], done: (error?: Error) => void): void {
    this.#outbox.fill(chunks);
    this.#written = done;
    if (this.#isOpen) this.#flush();
    else this.destroy();
  }

  /** Sends what credit and the library's buffer allow; called again when there is more of either. */
  #flush(): void {
    try {
      while (!this.#outbox.isEmpty) {
        if (this.#isMute || this.#credit <= MESSAGE_COST || this.#channel.bufferedAmount() >= MOST_BUFFERED) return;
        const message = this.#outbox.take(this.#credit - MESSAGE_COST);
        this.#credit -= message.length + MESSAGE_COST;
        this.#channel.sendMessageBinary(message);
        this.#hasSpoken = true;
      }
    } catch (cause) {
      this.destroy(new AppError('disconnected', 'the data channel is closed', {}, cause));
      return;
    }
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }

  get #isMute(): boolean {
    return this.#hasSpoken && !this.#isHeard;
  }

  #sendEnd(): void {
    if (this.#finished === undefined || this.#isEndSent || this.#isMute) return;
    this.#isEndSent = true;
    this.#steer({ kind: 'end' });
  }

  #steer(control: Control): void {
    if (!this.#isOpen) return;
    try {
      this.#channel.sendMessage(encodeControl(control));
    } catch (cause) {
      this.destroy(new AppError('disconnected', 'the data channel is closed', {}, cause));
    }
  }

  #linger(): void {
    if (this.#isLingering || this.destroyed) return;
    this.#isLingering = true;
    this.#clock.sleep(LINGER_MS, this.#closed.signal).then(
      () => {
        if (!this.writableFinished) this.destroy();
      },
      // The stream ended in time.
      () => undefined,
    );
  }
}
