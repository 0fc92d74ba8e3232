import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { eventIterator, oc } from '@orpc/contract';
import { implement } from '@orpc/server';
import { afterEach, expect, test } from 'vitest';
import * as z from 'zod';
import { AppError } from '../base/errors.ts';
import { type Channel, connectChannel, serveChannel } from './process-channel.ts';

const bytes = z.instanceof(Uint8Array);
const contract = {
  echo: oc.input(z.object({ bytes })).output(z.object({ bytes })),
  fail: oc.output(z.object({ ok: z.boolean() })),
  crash: oc.output(z.object({ ok: z.boolean() })),
  never: oc.output(z.object({ ok: z.boolean() })),
  count: oc.input(z.object({ to: z.number() })).output(eventIterator(z.object({ bytes }))),
};

/** Two ends within one process, which clone what they pass as two processes would. */
function portChannel(port: MessagePort): Channel {
  return {
    post: (message) => port.postMessage(message),
    onMessage: (listener) => void port.on('message', listener),
    onClose: (listener) => void port.on('close', listener),
  };
}

const ended: string[] = [];
const open: MessageChannel[] = [];

function connect() {
  const os = implement(contract);
  const router = os.router({
    echo: os.echo.handler(({ input }) => ({ bytes: input.bytes })),
    fail: os.fail.handler(() => {
      throw new AppError('disk-full', 'no room left', { needed: 7 });
    }),
    crash: os.crash.handler(() => {
      throw new TypeError('x is not a function');
    }),
    never: os.never.handler(
      ({ signal }) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
    ),
    count: os.count.handler(async function* ({ input, signal }) {
      try {
        for (let index = 0; index < input.to; index += 1) yield { bytes: new Uint8Array([index]) };
        if (input.to === 2) throw new AppError('file-changed', 'it changed');
        await new Promise((resolve) => signal?.addEventListener('abort', resolve));
      } finally {
        ended.push(`count ${input.to}`);
      }
    }),
  });
  const { port1, port2 } = new MessageChannel();
  open.push({ port1, port2 } as MessageChannel);
  serveChannel(router, portChannel(port2));
  return { client: connectChannel<typeof contract>(portChannel(port1)), port2 };
}

afterEach(() => {
  ended.length = 0;
  for (const { port1, port2 } of open.splice(0)) {
    port1.close();
    port2.close();
  }
});

test('bytes cross a channel as bytes', async () => {
  const { client } = connect();
  const answer = await client.echo({ bytes: new Uint8Array([0, 255, 7]) });
  expect(answer).toEqual({ bytes: new Uint8Array([0, 255, 7]) });
});

test('an expected failure keeps its code and details on the other side', async () => {
  const { client } = connect();
  await expect(client.fail()).rejects.toMatchObject({
    name: 'AppError',
    code: 'disk-full',
    message: 'no room left',
    details: { needed: 7 },
  });
});

test('a bug on the other side arrives as internal', async () => {
  const { client } = connect();
  await expect(client.crash()).rejects.toMatchObject({ name: 'AppError', code: 'internal' });
});

test('input that breaks the contract is refused as bad input', async () => {
  const { client } = connect();
  const wrong = { bytes: 'text' } as unknown as { bytes: Uint8Array<ArrayBuffer> };
  await expect(client.echo(wrong)).rejects.toMatchObject({ name: 'AppError', code: 'bad-input' });
});

test('an event iterator carries bytes and ends with the failure of its source', async () => {
  const { client } = connect();
  const seen: number[] = [];
  const reading = (async () => {
    for await (const event of await client.count({ to: 2 })) seen.push(event.bytes[0] ?? -1);
  })();
  await expect(reading).rejects.toMatchObject({ name: 'AppError', code: 'file-changed' });
  expect(seen).toEqual([0, 1]);
});

test('leaving an event iterator ends its source', async () => {
  const { client } = connect();
  for await (const event of await client.count({ to: 5 })) if (event.bytes[0] === 1) break;
  await expect.poll(() => ended).toEqual(['count 5']);
});

test('pending and later calls fail as unavailable when the other process ends', async () => {
  const { client, port2 } = connect();
  const pending = client.never();
  const iterator = await client.count({ to: 1 });
  await iterator.next();
  const waiting = iterator.next();
  port2.close();
  await expect(pending).rejects.toMatchObject({ name: 'AppError', code: 'swarm-unavailable' });
  await expect(waiting).rejects.toMatchObject({ name: 'AppError', code: 'swarm-unavailable' });
  await expect(client.fail()).rejects.toMatchObject({ name: 'AppError', code: 'swarm-unavailable' });
});
