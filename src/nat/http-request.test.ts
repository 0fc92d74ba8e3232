import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { systemClock } from '../base/system-clock.ts';
import { requestHttp } from './http-request.ts';

const never = new AbortController().signal;

async function serve(answer: (response: ServerResponse) => void): Promise<{ url: URL } & AsyncDisposable> {
  const server: Server = createServer((_, response) => answer(response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('an answer is given with its status and the address it was asked from', async () => {
  await using server = await serve((response) => response.writeHead(500).end('<fault/>'));
  const answer = await requestHttp({ url: server.url, method: 'POST', body: '<a/>' }, systemClock, never);
  expect(answer).toEqual({ status: 500, body: '<fault/>', localAddress: '127.0.0.1' });
});

test('64 KiB are read, one byte more is too much', async () => {
  let size = 65_536;
  await using server = await serve((response) => response.end('x'.repeat(size)));
  const ask = { url: server.url, method: 'GET' } as const;
  expect((await requestHttp(ask, systemClock, never)).body).toHaveLength(65_536);
  size += 1;
  await expect(requestHttp(ask, systemClock, never)).rejects.toMatchObject({ code: 'too-large' });
});

test('a body that never ends is cut, and the connection closed', async () => {
  let sent = 0;
  const closed = Promise.withResolvers<void>();
  await using server = await serve((response) => {
    response.once('close', () => closed.resolve());
    const more = (): void => {
      sent += 1_000;
      response.write('x'.repeat(1_000), () => setImmediate(more));
    };
    more();
  });
  await expect(requestHttp({ url: server.url, method: 'GET' }, systemClock, never)).rejects.toMatchObject({
    code: 'too-large',
  });
  await closed.promise;
  expect(sent).toBeLessThan(10_000_000);
});

test('a router that is silent is given five seconds', async () => {
  const arrived = Promise.withResolvers<void>();
  await using server = await serve(() => arrived.resolve());
  const clock = new VirtualClock();
  let failed: unknown;
  const asked = requestHttp({ url: server.url, method: 'GET' }, clock, never).catch(
    (error: unknown) => (failed = error),
  );
  await arrived.promise;
  await clock.advance(4_900);
  expect(failed).toBeUndefined();
  await clock.advance(200);
  await asked;
  expect(failed).toMatchObject({ code: 'timed-out' });
});

test('a redirect is not followed', async () => {
  let requests = 0;
  await using server = await serve((response) => {
    requests += 1;
    response.writeHead(302, { location: '/other' }).end();
  });
  expect((await requestHttp({ url: server.url, method: 'GET' }, systemClock, never)).status).toBe(302);
  expect(requests).toBe(1);
});
