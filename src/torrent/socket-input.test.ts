import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { Duplex } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { readIntoOneBuffer } from './socket-input.ts';

async function pair(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const far = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [near] = (await once(server, 'connection')) as [Socket];
  onTestFinished(() => {
    for (const closing of [near, far]) closing.destroy();
    server.close();
  });
  return { near, far };
}

test('this version of Node reads accepted sockets into one buffer, whole and in order, with pauses', async () => {
  const { near, far } = await pair();
  const sent = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => index % 251));
  const received: Buffer[] = [];
  const memory = new Set<ArrayBufferLike>();
  let bytes = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const took = readIntoOneBuffer(near, (part) => {
    received.push(Buffer.from(part));
    memory.add(part.buffer);
    bytes += part.length;
    near.pause();
    setImmediate(() => near.resume());
    if (bytes === sent.length) resolve();
  });
  near.resume();
  far.write(sent);
  await promise;
  expect([took, memory.size, Buffer.concat(received).equals(sent)]).toEqual([true, 1, true]);
});

test('the end of the other side is told as ever', async () => {
  const { near, far } = await pair();
  readIntoOneBuffer(near, () => undefined);
  near.resume();
  far.end('the last bytes');
  await once(near, 'end');
  expect(near.readableEnded).toBe(true);
});

test('what is no socket, and what holds unread bytes, is left alone', async () => {
  const { near, far } = await pair();
  far.write('unread');
  near.once('readable', () => undefined);
  await once(near, 'readable');
  expect(readIntoOneBuffer(near, () => undefined)).toBe(false);
  expect(String(near.read())).toBe('unread');
  expect(readIntoOneBuffer(new Duplex({ read: () => undefined }), () => undefined)).toBe(false);
});
