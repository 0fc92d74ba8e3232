import { writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { connect as connectSocket } from 'node:net';
import path from 'node:path';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { TestEngine } from '../../test/fixtures/test-engine.ts';
import { connect, startTestEngine } from '../../test/fixtures/test-engine.ts';
import { Onlookers } from './onlookers.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Sends the target as it stands, which fetch would repair first. */
function ask(
  { engine }: TestEngine,
  target: string,
  options: { headers?: Record<string, string>; method?: string; body?: string } = {},
): Promise<Answer> {
  const { port } = new URL(engine.origin);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        host: '127.0.0.1',
        port,
        path: target,
        method: options.method ?? 'GET',
        headers: { host: `127.0.0.1:${port}`, ...options.headers },
        agent: false,
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      },
    );
    request.on('error', reject);
    request.end(options.body);
  });
}

const bearer = ({ engine }: TestEngine) => ({ authorization: `Bearer ${engine.token}` });

function raw({ engine }: TestEngine, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connectSocket(Number(new URL(engine.origin).port), '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.setEncoding('utf8').on('data', (part: string) => (answer += part));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
  });
}

/** The close code of a WebSocket, or the HTTP status that refused it. */
function upgrade(started: TestEngine, headers: Record<string, string>, origin?: string): Promise<number> {
  const url = `${started.engine.origin.replace('http', 'ws')}/rpc`;
  const socket = new WebSocket(url, { headers, ...(origin === undefined ? {} : { origin }) });
  return new Promise((resolve, reject) => {
    socket.on('unexpected-response', (_request, response) => {
      resolve(response.statusCode ?? 0);
      socket.terminate();
    });
    socket.on('open', () => socket.ping());
    socket.on('pong', () => socket.close(1000));
    socket.on('close', resolve);
    socket.on('error', (error) => (socket.readyState === WebSocket.CLOSING ? undefined : reject(error)));
  });
}

test('the token opens the UI once and leaves a cookie that scripts and other sites never see', async () => {
  await using started = await startTestEngine();
  const signIn = await ask(started, `/?token=${started.engine.token}`);
  expect([signIn.status, signIn.headers['location']]).toEqual([302, '/']);
  const cookie = String(signIn.headers['set-cookie']);
  expect(cookie).toMatch(/; Path=\/; HttpOnly; SameSite=Strict$/);
  const page = await ask(started, '/', { headers: { cookie: cookie.split(';')[0] ?? '' } });
  expect(page).toMatchObject({
    status: 200,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'content-security-policy': expect.stringContaining("default-src 'none'; script-src 'self'"),
    },
    body: '<!doctype html><title>Spherecast</title>',
  });
  expect(page.headers['access-control-allow-origin']).toBeUndefined();
});

test('the address a browser is started with, which all users of the computer can read, opens the UI once', async () => {
  await using started = await startTestEngine();
  const { pathname, search } = new URL(started.engine.urlForOnce());
  expect(search).not.toContain(started.engine.token);
  const bearerOfTicket = { authorization: `Bearer ${search.replace('?token=', '')}` };
  expect((await ask(started, '/preview/known', { headers: bearerOfTicket })).status).toBe(401);
  expect((await ask(started, pathname + search)).status).toBe(302);
  expect((await ask(started, pathname + search)).status).toBe(401);
});

const ARRIVAL = { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };

test('a person who comes from the page of another engine is let in once, by a ticket that only programs get', async () => {
  await using started = await startTestEngine();
  expect((await ask(started, '/ticket')).status).toBe(401);
  const { url } = JSON.parse((await ask(started, '/ticket', { headers: bearer(started) })).body) as { url: string };
  expect(url).not.toContain(started.engine.token);
  const target = url.slice(started.engine.origin.length);
  const page = await ask(started, target, { headers: ARRIVAL });
  expect([page.status, page.headers['referrer-policy']]).toEqual([200, 'no-referrer']);
  expect(page.body).toContain('content="0;url=/"');
  const cookie = String(page.headers['set-cookie']).split(';')[0] ?? '';
  expect((await ask(started, '/', { headers: { cookie } })).status).toBe(200);
  expect((await ask(started, target, { headers: ARRIVAL })).status).toBe(403);
});

test('a foreign page leads nobody in: neither by the token, nor from elsewhere, nor unseen', async () => {
  await using started = await startTestEngine();
  const { engine } = started;
  const ticket = (): string => engine.urlForOnce().slice(engine.origin.length);
  const refused = async (target: string, change: Record<string, string>) =>
    (await ask(started, target, { headers: { ...ARRIVAL, ...change } })).status;
  expect(await refused(`/?token=${engine.token}`, {})).toBe(403);
  expect(await refused(ticket(), { 'sec-fetch-site': 'cross-site' })).toBe(403);
  expect(await refused(ticket(), { 'sec-fetch-mode': 'no-cors' })).toBe(403);
  expect(await refused(ticket(), { 'sec-fetch-dest': 'iframe' })).toBe(403);
  expect(await refused(ticket(), { origin: 'http://127.0.0.1:1' })).toBe(403);
  expect(await refused('/', bearer(started))).toBe(403);
});

test('a cookie of an earlier launch of the same profile still opens the page', async () => {
  await using first = await startTestEngine();
  const cookie = String((await ask(first, `/?token=${first.engine.token}`)).headers['set-cookie']).split(';')[0] ?? '';
  await first.engine.stop();
  await using second = await startTestEngine({ profile: first.profile });
  expect((await ask(second, '/', { headers: { cookie } })).status).toBe(200);
  expect((await ask(second, `/?token=${first.engine.token}`)).status).toBe(401);
});

test('without a session nothing is told, not even what exists', async () => {
  await using started = await startTestEngine();
  const targets = ['/', '/index.html', '/assets/main-1a2b.js', '/assets/none.js', '/preview/known', '/?token=wrong'];
  for (const target of targets) {
    expect({ target, status: (await ask(started, target)).status }).toEqual({ target, status: 401 });
  }
  const page = await ask(started, '/', { headers: { 'sec-fetch-dest': 'document' } });
  expect([page.status, page.body.includes('Please open Spherecast again')]).toEqual([401, true]);
});

test('requests that a foreign page or name could cause are refused', async () => {
  await using started = await startTestEngine();
  const { port } = new URL(started.engine.origin);
  const refused: { headers?: Record<string, string>; method?: string; body?: string; status: number }[] = [
    { headers: { host: 'evil.example' }, status: 403 },
    { headers: { host: `evil.example:${port}` }, status: 403 },
    { headers: { host: '127.0.0.1' }, status: 403 },
    { headers: { host: `127.0.0.1.evil.example:${port}` }, status: 403 },
    { headers: { origin: 'http://evil.example' }, status: 403 },
    { headers: { origin: 'null' }, status: 403 },
    { headers: { origin: 'http://127.0.0.1:1' }, status: 403 },
    { headers: { 'sec-fetch-site': 'cross-site' }, status: 403 },
    { headers: { 'sec-fetch-site': 'same-site' }, status: 403 },
    { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{}', status: 405 },
    { method: 'POST', headers: { origin: 'http://evil.example' }, body: '{}', status: 403 },
    { method: 'PUT', body: 'x', status: 405 },
    { method: 'DELETE', status: 405 },
    { method: 'OPTIONS', headers: { origin: 'http://evil.example' }, status: 403 },
    { method: 'TRACE', status: 405 },
  ];
  for (const { status, ...options } of refused) {
    const answer = await ask(started, '/', { ...options, headers: { ...bearer(started), ...options.headers } });
    expect({ options, status: answer.status, body: answer.body }).toEqual({ options, status, body: '' });
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  }
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`]) {
    expect((await ask(started, '/', { headers: { ...bearer(started), host } })).status).toBe(200);
  }
});

test('malformed addresses and requests harm nobody', async () => {
  await using started = await startTestEngine();
  const targets = [
    '/webtorrent/x/%ff',
    '//[',
    'http://[:x/',
    '/%',
    '/%00',
    '/..%2f..%2f..%2fetc/passwd',
    '/../../../etc/passwd',
    '/assets/..%5c..%5cindex.html',
    '/assets/.hidden.js',
    '/media/%ff/x',
    '/media/',
    '/media/abc/../x',
    '/preview/../known',
    '/preview/%2e%2e',
    '*',
    `/${'a'.repeat(5000)}.js`,
    '/?token=%ff',
  ];
  for (const target of targets) {
    const answer = await ask(started, target, { headers: bearer(started) });
    expect({ target, body: answer.body.includes('root:') }).toEqual({ target, body: false });
    expect({ target, refused: answer.status === 404 || target.startsWith('/?') }).toEqual({ target, refused: true });
  }
  const { host } = new URL(started.engine.origin);
  expect(await raw(started, 'GARBAGE\r\n\r\n')).toMatch(/^HTTP\/1.1 400/);
  expect(await raw(started, `GET / HTTP/1.1\r\nhost: ${host}\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(
    /^HTTP\/1.1 4/,
  );
  expect(await raw(started, 'GET / HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 403/);
  expect(await raw(started, `CONNECT evil:80 HTTP/1.1\r\nhost: ${host}\r\n\r\n`)).toBe('');
  expect(await raw(started, `GET /rpc HTTP/1.1\r\nhost: ${host}\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n`)).toMatch(
    /^HTTP\/1.1 4/,
  );
  expect((await ask(started, '/', { headers: bearer(started) })).status).toBe(200);
});

test('pages of the router are the UI, missing files are 404', async () => {
  await using started = await startTestEngine();
  const headers = bearer(started);
  expect((await ask(started, '/spheres/abc', { headers })).body).toContain('<title>Spherecast');
  const asset = await ask(started, '/assets/main-1a2b.js', { headers });
  expect(asset.headers).toMatchObject({
    'content-type': 'text/javascript; charset=utf-8',
    'cache-control': expect.stringContaining('immutable'),
  });
  expect((await ask(started, '/assets/missing.js', { headers })).status).toBe(404);
  expect(await ask(started, '/', { headers, method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
});

test('a playback address needs no session, and is of no use under a foreign name', async () => {
  await using started = await startTestEngine();
  const file = path.join(started.profile, 'film.mp4');
  writeFileSync(file, 'twelve bytes');
  const address = started.deps.media.offer('item/0', 'film.mp4', {
    size: 12,
    path: file,
    type: 'video/mp4',
    indexRanges: [],
    have: () => true,
    waitFor: () => Promise.resolve(),
    want: () => undefined,
    drop: () => undefined,
  });
  expect(await ask(started, address, { headers: { range: 'bytes=7-' } })).toMatchObject({
    status: 206,
    headers: { 'content-type': 'video/mp4', 'cross-origin-resource-policy': 'same-origin' },
    body: 'bytes',
  });
  const foreign = [{ host: 'evil.example' }, { 'sec-fetch-site': 'cross-site' }, { origin: 'http://evil.example' }];
  for (const headers of foreign) {
    expect(await ask(started, address, { headers })).toMatchObject({ status: 403, body: '' });
  }
  expect((await ask(started, address, { method: 'POST', body: 'x' })).status).toBe(405);
  expect((await ask(started, `/media/${'0'.repeat(32)}/film.mp4`)).status).toBe(404);
});

test('previews are shown as WebP pictures only', async () => {
  await using started = await startTestEngine();
  const headers = bearer(started);
  expect(await ask(started, '/preview/known', { headers })).toMatchObject({
    status: 200,
    headers: { 'content-type': 'image/webp', 'content-security-policy': "default-src 'none'; sandbox" },
  });
  expect((await ask(started, '/preview/other', { headers })).status).toBe(404);
});

test('the socket takes the token or the cookie, and no page of another origin', async () => {
  await using started = await startTestEngine();
  const { origin, token } = started.engine;
  const cookie = String((await ask(started, `/?token=${token}`)).headers['set-cookie']).split(';')[0] ?? '';
  expect(await upgrade(started, bearer(started))).toBe(1000);
  expect(await upgrade(started, { cookie }, origin)).toBe(1000);
  expect(await upgrade(started, {}, origin)).toBe(4401);
  expect(await upgrade(started, { authorization: 'Bearer wrong', cookie }, origin)).toBe(4401);
  expect(await upgrade(started, { cookie }, 'http://evil.example')).toBe(403);
  expect(await upgrade(started, { cookie, host: 'evil.example' }, origin)).toBe(403);
  expect(await upgrade(started, { cookie, 'sec-fetch-site': 'same-site' })).toBe(403);
});

test('whoever looks over a line that breaks without a goodbye, or gives the look up, looks no longer', async () => {
  await using started = await startTestEngine();
  const onlookers = new Onlookers();
  Object.assign(started.services, { onlookers });
  const [page, command] = [await connect(started.engine), await connect(started.engine)];
  const hidden = new AbortController();
  page.client.system.looking(undefined, { signal: hidden.signal }).catch(() => undefined);
  await expect.poll(() => onlookers.isAnyone).toBe(true);
  hidden.abort();
  await expect.poll(() => onlookers.isAnyone).toBe(false);
  command.client.system.looking().catch(() => undefined);
  await expect.poll(() => onlookers.isAnyone).toBe(true);
  command.socket.terminate();
  await expect.poll(() => onlookers.isAnyone).toBe(false);
  page.socket.terminate();
});

/** Sends a request and then neither reads nor closes, as a program does that wants to be in the way. */
function hold({ engine }: TestEngine, text: string): Socket {
  const port = Number(new URL(engine.origin).port);
  const socket = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true }, () => socket.write(text));
  socket.on('error', () => undefined);
  return socket;
}

test.each([
  ['a malformed request', 'GET / HTTP/1.1\r\nno header\r\n\r\n'],
  [
    'an upgrade under a foreign name',
    'GET /rpc HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
  ],
])('a connection refused for %s is gone, whether or not the other side closes it', async (_what, request) => {
  await using started = await startTestEngine();
  const socket = hold(started, request);
  await once(socket.resume(), 'end');
  // What arrives for a connection that is gone is answered by a reset, which a later write meets.
  const isGone = (): boolean => socket.destroyed || (socket.write('still here'), false);
  await expect.poll(isGone).toBe(true);
});

test('sockets without a session that do not go take no place of those that have one', async () => {
  await using started = await startTestEngine();
  const { host } = new URL(started.engine.origin);
  const key = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13';
  const request = `GET /rpc HTTP/1.1\r\nhost: ${host}\r\nconnection: upgrade\r\nupgrade: websocket\r\n${key}\r\n\r\n`;
  const held = Array.from({ length: 80 }, () => hold(started, request));
  await Promise.all(held.map((socket) => once(socket, 'data')));
  const { client, socket } = await connect(started.engine);
  await expect(client.system.status()).resolves.toMatchObject({ pid: expect.any(Number) });
  socket.close();
  for (const one of held) one.destroy();
});

test('a frame beyond one megabyte or of garbage costs its sender the connection at most', async () => {
  await using started = await startTestEngine();
  const first = await connect(started.engine);
  const closed = new Promise<number>((resolve) => first.socket.on('close', resolve));
  first.socket.send('x'.repeat(1024 * 1024 + 1));
  expect(await closed).toBe(1009);
  const second = await connect(started.engine);
  second.socket.send('{"i":"x1","p":{"u":"/nothing/here","b":{}}}');
  second.socket.send(JSON.stringify({ i: 'x2', p: { u: '/constructor/prototype', b: {} } }));
  expect(await second.client.transfers.limits()).toEqual({ up: 0, down: 0 });
  second.socket.close();
});

test('an answer is written as JSON, and not copied first in search of what JSON cannot say', async () => {
  await using started = await startTestEngine();
  const { client, socket } = await connect(started.engine);
  const snapshot = started.services.snapshot.bind(started.services);
  const items = [{ atMs: new Date(0) }];
  started.services.snapshot = async () => ({ ...(await snapshot()), items: items as never });
  expect((await client.system.snapshot()).items).toEqual([{ atMs: new Date(0).toJSON() }]);
  socket.close();
});

test('a client that does not read is dropped instead of filling the memory', async () => {
  await using started = await startTestEngine();
  const { client, socket } = await connect(started.engine);
  const { seq } = await client.system.snapshot();
  const iterator = await client.system.events({ since: seq });
  const reading = iterator.next();
  reading.catch(() => undefined);
  socket.pause();
  const dropped = new Promise<void>((resolve) => socket.on('close', () => resolve()));
  const text = 'x'.repeat(100_000);
  for (let number = 0; number < 600; number += 1) {
    started.services.onEvent.emit({ kind: 'notice', code: 'note', params: { text } });
    if (number % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  setTimeout(() => socket.resume(), 500);
  await dropped;
  await expect(reading.then(() => iterator.next()).then(() => drain(iterator))).rejects.toThrow(/closed|not open/i);
});

async function drain(iterator: AsyncIterator<unknown>): Promise<void> {
  for (;;) if ((await iterator.next()).done === true) return;
}
