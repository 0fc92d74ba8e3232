import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/**
 * `tcp-floor.ts FILE COPY` sends a file over one TCP stream to another process, which hashes and writes it, and prints
 * the seconds that took.
 */
const CHUNK = 256 * 1024;
const [, , role = '', target = ''] = process.argv;

async function receive(copy: string): Promise<void> {
  const file = await open(copy, 'w');
  const server = createServer({ highWaterMark: CHUNK }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send?.((server.address() as AddressInfo).port);
  const [socket] = (await once(server, 'connection')) as [AsyncIterable<Buffer>];
  const hash = createHash('sha1');
  for await (const chunk of socket) {
    hash.update(chunk);
    await file.write(chunk);
  }
  hash.digest();
  await file.close();
  server.close();
  process.disconnect();
}

async function send(path: string, copy: string): Promise<number> {
  const receiver = fork(fileURLToPath(import.meta.url), ['receive', copy]);
  const [port] = (await once(receiver, 'message')) as [number];
  const gone = once(receiver, 'exit');
  const start = performance.now();
  createReadStream(path, { highWaterMark: CHUNK }).pipe(connect(port, '127.0.0.1'));
  await gone;
  return (performance.now() - start) / 1000;
}

if (role === 'receive') await receive(target);
else process.stdout.write(`${await send(role, target)}`);
