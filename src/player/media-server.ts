import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../base/clock.ts';
import { toHex } from '../base/bytes.ts';
import { errorCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { isShownInline, servedType } from './media-type.ts';
import type { PlayableItem } from './playable-item.ts';
import { parseRange } from './range.ts';
import { streamItem } from './stream.ts';

const TOKEN_BYTES = 16;

interface Offered {
  readonly token: string;
  readonly name: string;
  readonly item: PlayableItem;
}

/**
 * Answers `/media/<token>/<name>` for files that may still be arriving. The token is the permission:
 * players outside of the browser get the address and nothing else.
 */
export class MediaServer implements Disposable {
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #log: Logger;
  readonly #byKey = new Map<string, Offered>();
  readonly #byToken = new Map<string, Offered>();
  readonly #stop = new AbortController();
  #readers = 0;

  constructor(deps: { clock: Clock; random: RandomBytes; log: Logger }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#log = deps.log;
  }

  /** The path on the engine's port for a file; the same `key` keeps its address until it is withdrawn. */
  offer(key: string, name: string, item: PlayableItem): string {
    const token = this.#byKey.get(key)?.token ?? toHex(this.#random(TOKEN_BYTES));
    const offered = { token, name, item };
    this.#byKey.set(key, offered);
    this.#byToken.set(token, offered);
    return `/media/${token}/${encodeURIComponent(addressName(name))}`;
  }

  /** Ends every address, for when the account is signed out; readers that are under way go on. */
  withdrawAll(): void {
    this.#byKey.clear();
    this.#byToken.clear();
  }

  /** Answers `[token, name]`, or false when there is nothing under it. */
  async handle(rest: readonly string[], request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const [token = '', ...name] = rest;
    const offered = this.#byToken.get(token);
    if (offered === undefined || name.length > 1) return false;
    const { item } = offered;
    const tag = `"${token.slice(0, 8)}-${item.size.toString(16)}"`;
    const range = parseRange(rangeHeader(request, tag), item.size);
    setHeaders(response, offered, tag);
    if (range.kind === 'unsatisfiable') {
      response.writeHead(416, { 'content-range': `bytes */${item.size}`, 'content-length': 0 });
      response.end();
      return true;
    }
    const part = range.kind === 'part' ? range : { from: 0, to: item.size };
    response.writeHead(range.kind === 'part' ? 206 : 200, {
      'content-length': part.to - part.from,
      ...(range.kind === 'part' ? { 'content-range': `bytes ${part.from}-${part.to - 1}/${item.size}` } : {}),
    });
    if (request.method === 'HEAD') response.end();
    else await this.#send(item, part, response);
    return true;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.withdrawAll();
  }

  async #send(item: PlayableItem, part: { from: number; to: number }, response: ServerResponse): Promise<void> {
    this.#readers += 1;
    const reader = `reader ${this.#readers}`;
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const signal = AbortSignal.any([gone.signal, this.#stop.signal]);
    // Players decide by the headers what to do next, long before the first byte is there.
    response.flushHeaders();
    try {
      await streamItem({ item, reader, ...part }, response, { clock: this.#clock }, signal);
      response.end();
    } catch (error) {
      // The status is sent: a cut connection is the only honest way to say that the rest will not come.
      response.destroy();
      if (!signal.aborted) this.#log.warn('stream ended early', { code: errorCode(error), error });
    }
  }
}

/** RFC 9110 §13.1.5: with a validator of another version the range is ignored. §14.2: so it is for HEAD. */
function rangeHeader(request: IncomingMessage, tag: string): string | undefined {
  if (request.method !== 'GET') return undefined;
  const condition = request.headers['if-range'];
  return condition === undefined || condition === tag ? request.headers.range : undefined;
}

function setHeaders(response: ServerResponse, offered: Offered, tag: string): void {
  const type = servedType(offered.name, offered.item.type);
  const disposition = isShownInline(type) ? 'inline' : 'attachment';
  response.setHeader('content-type', type);
  response.setHeader('accept-ranges', 'bytes');
  response.setHeader('etag', tag);
  response.setHeader('cache-control', 'no-store');
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('content-security-policy', "default-src 'none'; sandbox");
  response.setHeader('content-disposition', `${disposition}; filename*=UTF-8''${encodeExtended(offered.name)}`);
}

/** RFC 8187 §3.2.1: what encodeURIComponent leaves and the header does not allow. */
function encodeExtended(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replace(
    /['()*!]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The name is decoration for other players' title bars: no slash, no dot names, well-formed. */
function addressName(name: string): string {
  const plain = name.toWellFormed().replace(/[/\\\p{Cc}]/gu, '_');
  return /^\.*$/.test(plain) ? 'file' : plain;
}
