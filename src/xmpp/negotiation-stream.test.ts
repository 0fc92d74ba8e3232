import { once } from 'node:events';
import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { errorCode } from '../base/errors.ts';
import { NegotiationStream } from './negotiation-stream.ts';

const never = new AbortController().signal;
const HEADER = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

test('a server that floods us before TLS is cut off instead of remembered', async () => {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write(HEADER + '<stream:features/>' + '<x/>'.repeat(10_000));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const socket = net.connect({ port, host: '127.0.0.1' });
  onTestFinished(() => {
    socket.destroy();
    server.close();
  });
  await once(socket, 'connect');
  using stream = new NegotiationStream(socket);
  let read = 0;
  const reading = async (): Promise<void> => {
    for (; ; read += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      await stream.next(never);
    }
  };
  expect(await reading().catch(errorCode)).toBe('server-unreachable');
  expect(read).toBeLessThan(100);
});
