import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a web page found out about another address: `denied` means it got nothing at all. */
export type Loot = Readonly<Record<string, string>>;

/**
 * Runs in the page of an attacker who knows the engine's port and even the addresses of a preview and a film.
 * Each way a page has of reading or driving another address, with what came of it.
 */
export const BREAK_IN = `async ({ engine, paths }) => {
  const got = {};
  const socket = engine.replace('http', 'ws');
  const timer = new Promise((resolve) => setTimeout(resolve, 5000, 'denied'));
  const by = (name, attempt) => Promise.race([attempt().catch(() => 'denied'), timer]).then((loot) => { got[name] = loot; });
  const element = (tag, event, attributes) => new Promise((resolve) => {
    const node = Object.assign(document.createElement(tag), attributes);
    node.addEventListener(event, () => resolve('loaded'));
    node.addEventListener('error', () => resolve('denied'));
    document.body.append(node);
  });
  const attempts = [];
  for (const path of paths) {
    const url = engine + path;
    attempts.push(
      by('fetch ' + path, async () => (await fetch(url, { credentials: 'include' })).text()),
      by('blind fetch ' + path, async () => (await fetch(url, { credentials: 'include', mode: 'no-cors' })).type),
      by('image ' + path, () => element('img', 'load', { src: url })),
      by('video ' + path, () => element('video', 'loadedmetadata', { src: url, preload: 'auto' })),
      by('script ' + path, () => element('script', 'load', { src: url })),
      by('style ' + path, () => element('link', 'load', { rel: 'stylesheet', href: url })),
    );
  }
  attempts.push(
    by('web socket', () => new Promise((resolve) => {
      const line = new WebSocket(socket + '/rpc');
      line.onopen = () => resolve('opened');
      line.onerror = line.onclose = () => resolve('denied');
    })),
    by('blind post', async () =>
      (await fetch(engine + '/rpc', { method: 'POST', body: '{}', mode: 'no-cors', credentials: 'include' })).type),
  );
  await Promise.all(attempts);
  return got;
}`;

/** An empty page on an address of its own. */
export class HostilePage implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(address: string): Promise<HostilePage> {
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' });
      response.end('<!doctype html><title>Nice pictures</title><body>');
    });
    server.listen(0, address);
    await once(server, 'listening');
    return new HostilePage(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
