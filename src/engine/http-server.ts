import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { AppError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { pictureFormat } from '../spheres/protocol/picture-format.ts';
import type { Target } from './request-guard.ts';
import { isArrival, parseTarget, refuseForeign } from './request-guard.ts';
import type { RpcSocket } from './rpc-socket.ts';
import type { SessionGuard } from './session.ts';
import { serveStatic } from './static-files.ts';

/** Answers a request whose path begins with its own word; the address itself is the permission to read. */
export type MediaHandler = (
  rest: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<boolean>;

/** The preview picture with this id, if there is one. */
export interface PreviewSource {
  /** WebP; undefined when there is none. */
  read(id: string, signal: AbortSignal): Promise<Uint8Array | undefined>;
}

interface HttpServerDeps {
  readonly session: SessionGuard;
  readonly rpc: RpcSocket;
  readonly media: MediaHandler;
  readonly previews: PreviewSource;
  /** The built UI. */
  readonly uiFolder: string;
  readonly log: Logger;
}

const HOST = '127.0.0.1';
const MAX_CONNECTIONS = 512;

/** The one server of the engine, on loopback only: UI, RPC, media and previews. */
export class HttpServer implements AsyncDisposable {
  readonly #deps: HttpServerDeps;
  readonly #server: Server;
  #port = 0;

  constructor(deps: HttpServerDeps) {
    this.#deps = deps;
    this.#server = createServer({
      maxHeaderSize: 16 * 1024,
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: 10_000,
      connectionsCheckingInterval: 5_000,
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('request', (request, response) => void this.#answer(request, response));
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    // CONNECT asks for a proxy; the default would be to answer nothing for ever.
    this.#server.on('connect', (_request, socket) => socket.destroy());
    this.#server.on('clientError', (_error, socket) => {
      if (socket.writable) hangUp(socket, '400 Bad Request');
      else socket.destroy();
    });
  }

  get port(): number {
    return this.#port;
  }

  /** `http://127.0.0.1:<port>` */
  get origin(): string {
    return `http://${HOST}:${this.#port}`;
  }

  /** An address that opens the UI once, soon. */
  urlForOnce(): string {
    return `${this.origin}/?token=${this.#deps.session.ticket()}`;
  }

  /** Listens on the port, 0 = any; `conflict` when it is taken. */
  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const onError = (error: Error): void =>
        reject(new AppError('conflict', `port ${port} cannot be used`, { port }, error));
      this.#server.once('error', onError);
      this.#server.listen(port, HOST, () => {
        this.#server.off('error', onError);
        this.#server.on('error', (error) => this.#deps.log.error('http server failed', { error }));
        resolve();
      });
    });
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new AppError('internal', 'the server has no port');
    this.#port = address.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#deps.rpc[Symbol.dispose]();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    setCommonHeaders(response);
    try {
      await this.#route(request, response);
    } catch (error) {
      // A client that went away in the middle is the usual reason and nobody's fault.
      if (!response.destroyed) this.#deps.log.warn('request failed', { error });
      if (response.headersSent) response.destroy();
      else refuse(response, 500);
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refused = refuseForeign(factsOf(request), this.#port);
    const target = parseTarget(request.url);
    if (refused !== undefined && this.#comeOver(target, request, response)) return;
    if (refused !== undefined) return refuse(response, refused);
    if (target === undefined) return refuse(response, 404);
    const [first, ...rest] = target.segments;
    if (first === 'ticket' && this.#deps.session.isProgram(request.headers.authorization)) {
      return tell(response, { url: this.urlForOnce() });
    }
    if (first === 'media') return orNotFound(response, await this.#deps.media(rest, request, response));
    if (this.#signIn(target, response)) return;
    if (!this.#deps.session.isAuthorised(request.headers, this.#port)) return refuseSession(request, response);
    if (first === 'preview') return orNotFound(response, await this.#preview(rest, response));
    return orNotFound(response, await serveStatic(this.#deps.uiFolder, target.segments, request, response));
  }

  /**
   * Lets a person in who comes from the page of another engine of this computer. Nobody else can know the ticket that the
   * address has; the page leads on by itself, because what follows a foreign page is foreign to the browser.
   */
  #comeOver(target: Target | undefined, request: IncomingMessage, response: ServerResponse): boolean {
    if (target?.segments.join('/') !== '' || !isArrival(factsOf(request), request.headers, this.#port)) return false;
    if (!this.#deps.session.takesTicket(target.query.get('token'))) return false;
    response.writeHead(200, {
      'set-cookie': this.#deps.session.setCookie(this.#port),
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'cache-control': 'no-store',
    });
    response.end(COME_OVER);
    return true;
  }

  /** Turns the launch's token or a ticket into a cookie and takes it out of the address bar; `who`: the page asks that. */
  #signIn(target: Target, response: ServerResponse): boolean {
    if (target.segments.join('/') !== '' || !this.#deps.session.signsIn(target.query.get('token'))) return false;
    const location = target.query.has('who') ? '/?who' : '/';
    response.writeHead(302, { 'set-cookie': this.#deps.session.setCookie(this.#port), location });
    response.end();
    return true;
  }

  async #preview(rest: readonly string[], response: ServerResponse): Promise<boolean> {
    const [id, ...more] = rest;
    if (id === undefined || more.length > 0 || !/^[\w-]{1,128}$/.test(id)) return false;
    const image = await this.#deps.previews.read(id, closeSignal(response));
    // Previews come from other members: nothing but what begins like a WebP picture is shown.
    if (image === undefined || pictureFormat(image) !== 'webp') return false;
    response.writeHead(200, {
      'content-type': 'image/webp',
      'content-length': image.length,
      'content-security-policy': "default-src 'none'; sandbox",
      'cache-control': 'private, max-age=86400',
    });
    response.end(image);
    return true;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Without a listener an error of the raw socket would end the process.
    socket.on('error', () => socket.destroy());
    const refused = refuseForeign(factsOf(request), this.#port);
    if (refused !== undefined || parseTarget(request.url)?.segments.join('/') !== 'rpc') {
      hangUp(socket, `${refused ?? 404} Refused`);
      return;
    }
    const authorised = this.#deps.session.isAuthorised(request.headers, this.#port);
    this.#deps.rpc.accept(request, socket, head, authorised);
  }
}

function factsOf(request: IncomingMessage) {
  const fetchSite = request.headers['sec-fetch-site'];
  return {
    method: request.method ?? '',
    host: request.headers.host,
    origin: request.headers.origin,
    fetchSite: typeof fetchSite === 'string' ? fetchSite : undefined,
  };
}

function setCommonHeaders(response: ServerResponse): void {
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('referrer-policy', 'no-referrer');
  response.setHeader('cross-origin-resource-policy', 'same-origin');
  response.setHeader('cross-origin-opener-policy', 'same-origin');
}

/** Aborts when the client goes away. */
function closeSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return gone.signal;
}

function orNotFound(response: ServerResponse, found: boolean): void {
  if (!found) refuse(response, 404);
}

/** Ends a connection for good: one that the other side never closes would take the place of another for ever. */
function hangUp(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`, () => socket.destroy());
}

/** Says nothing but the status; an unread body must not be taken for the next request. */
function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-length': 0, connection: 'close', 'cache-control': 'no-store' });
  response.end();
}

function tell(response: ServerResponse, value: object): void {
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(value));
}

const COME_OVER = '<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>Spherecast</title>';

const OPEN_AGAIN = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Spherecast</title>
<style>body{font:18px/1.5 system-ui,sans-serif;max-width:34em;margin:20vh auto;padding:0 1em}</style>
<h1>Please open Spherecast again</h1>
<p>This page is no longer connected to Spherecast on this computer. Your files and messages are safe.
Open Spherecast from your applications, or use the address it prints when it starts.</p>
<p lang="fr">Cette page n’est plus reliée à Spherecast sur cet ordinateur. Vos fichiers et vos messages sont en sécurité.
Ouvrez de nouveau Spherecast depuis vos applications, ou utilisez l’adresse affichée à son démarrage.</p></html>`;

function refuseSession(request: IncomingMessage, response: ServerResponse): void {
  if (request.headers['sec-fetch-dest'] !== 'document') return refuse(response, 401);
  response.writeHead(401, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    'cache-control': 'no-store',
  });
  response.end(OPEN_AGAIN);
}
