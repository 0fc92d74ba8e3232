// RFC 6120: XMPP Core, §4.2 and §4.3
import type { Socket } from 'node:net';
import { AppError } from '../base/errors.ts';
import { child, type Element, NS_CLIENT, NS_STREAM, xml } from './element.ts';
import { StreamParser } from './stream-parser.ts';

/** More than any server has to say before it is asked; who sends more only wants to fill the memory. */
const MAX_UNREAD = 16;
const NS_STREAM_ERRORS = 'urn:ietf:params:xml:ns:xmpp-streams';

/**
 * A stream before anybody has signed in: for starting TLS and for registration. It says who the server
 * should be and nothing about who the user is. Disposing lets go of the socket without closing it.
 */
export class NegotiationStream implements Disposable {
  readonly #socket: Socket;
  readonly #parser = new StreamParser();
  readonly #arrived: Element[] = [];
  readonly #onData = (data: Uint8Array): void => this.#parser.write(data);
  readonly #onClose = (): void => this.#fail(new AppError('server-unreachable', 'the server closed the connection'));
  readonly #onError = (error: unknown): void =>
    this.#fail(new AppError('server-unreachable', 'the connection broke', {}, error));
  #failure: AppError | undefined;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#parser.on('element', (element: Element) => {
      this.#arrived.push(element);
      if (this.#arrived.length >= MAX_UNREAD) {
        this.#parser.stop();
        this.#fail(new AppError('server-unreachable', 'the server talks without being asked'));
      } else this.#wake?.();
    });
    this.#parser.on('error', (error) =>
      this.#fail(new AppError('server-unreachable', 'not an XMPP server', {}, error)),
    );
    this.#parser.on('end', this.#onClose);
    socket.on('data', this.#onData);
    socket.on('close', this.#onClose);
    socket.on('error', this.#onError);
  }

  /** Opens the stream and gives the server's features. */
  async open(domain: string, signal: AbortSignal): Promise<Element> {
    const header = xml('stream:stream', { to: domain, version: '1.0', xmlns: NS_CLIENT, 'xmlns:stream': NS_STREAM });
    this.#socket.write(`<?xml version='1.0'?>${header.toString().replace(/\/>$/, '>')}`);
    const features = await this.next(signal);
    if (!features.is('features', NS_STREAM)) throw new AppError('server-unreachable', 'the server names no features');
    return features;
  }

  write(element: Element): void {
    this.#socket.write(element.toString());
  }

  /** The next element of the stream. A stream error rejects. */
  async next(signal: AbortSignal): Promise<Element> {
    for (;;) {
      signal.throwIfAborted();
      const element = this.#arrived.shift();
      if (element?.is('error', NS_STREAM) === true) throw streamError(element);
      if (element !== undefined) return element;
      if (this.#failure !== undefined) throw this.#failure;
      await this.#arrival(signal);
    }
  }

  /** Whether the server has sent nothing that was not read: anything before TLS starts could be an attacker's. */
  get isQuiet(): boolean {
    return this.#arrived.length === 0 && this.#parser.isBetweenStanzas;
  }

  #arrival(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        this.#wake = undefined;
        resolve();
      };
      signal.addEventListener('abort', wake, { once: true });
      this.#wake = wake;
    });
  }

  #fail(error: AppError): void {
    this.#failure ??= error;
    this.#wake?.();
  }

  [Symbol.dispose](): void {
    this.#socket.off('data', this.#onData);
    this.#socket.off('close', this.#onClose);
    this.#socket.off('error', this.#onError);
  }
}

/** RFC 6120 §4.9: what the server says when it ends a stream. */
export function streamError(element: Element): AppError {
  const condition = element.getChildElements().find((entry) => entry.getNS() === NS_STREAM_ERRORS)?.name;
  const isUnknownHost = condition === 'host-unknown' || condition === 'host-gone';
  const text = child(element, 'text', NS_STREAM_ERRORS)?.getText().slice(0, 200);
  return new AppError(
    isUnknownHost ? 'server-unreachable' : 'disconnected',
    isUnknownHost ? 'the server does not serve this domain' : 'the server ended the stream',
    { condition: condition ?? 'undefined-condition', text },
  );
}
