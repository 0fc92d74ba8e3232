import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import { withDeadline } from './deadline.ts';
import type { Element } from './element.ts';
import type { Session } from './session.ts';
import { isXmlText } from './xml-syntax.ts';

/** Servers end the stream at 256 KiB, and everything that was under way is then in doubt. */
export const MAX_STANZA_BYTES = 240 * 1024;
const ACK_MS = 60_000;

/** Checks what goes out and remembers what the server has not acknowledged yet, across resumed connections. */
export class Outgoing {
  readonly #waiting = new Map<Element, { readonly resolve: () => void; readonly reject: (error: AppError) => void }>();

  async send(session: Pick<Session, 'send'>, stanza: Element): Promise<void> {
    const text = stanza.toString();
    const bytes = Buffer.byteLength(text);
    if (bytes > MAX_STANZA_BYTES) throw new AppError('too-large', 'the stanza is too large for a server', { bytes });
    if (!isXmlText(text)) throw new AppError('bad-input', 'the stanza holds a character that XML forbids');
    await session.send(stanza);
  }

  async sendConfirmed(
    session: Pick<Session, 'send' | 'lateMs'>,
    stanza: Element,
    clock: Clock,
    signal?: AbortSignal,
  ): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // The loss may be told before the write has ended.
    promise.catch(() => undefined);
    this.#waiting.set(stanza, { resolve, reject });
    try {
      await this.send(session, stanza);
      await withDeadline(clock, ACK_MS + session.lateMs, signal, () => promise);
    } finally {
      this.#waiting.delete(stanza);
    }
  }

  acknowledge(stanza: Element): void {
    this.#waiting.get(stanza)?.resolve();
  }

  fail(stanza: Element): void {
    this.#waiting.get(stanza)?.reject(new AppError('disconnected', 'the stanza may not have arrived'));
  }

  failAll(error: AppError): void {
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}
