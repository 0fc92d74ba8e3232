import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { eventually } from '../fixtures/engine-process.ts';
import { startSlowLine } from '../fixtures/slow-line.ts';

const PACKETS = 400;

/** Holds the thread up, as a busy machine does. */
function stall(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

test('what goes over a slow line arrives in its order, however busy the machine is', async () => {
  const heard: Buffer[] = [];
  await using stack = new AsyncDisposableStack();
  const server = net.createServer((socket) => socket.on('data', (data) => void heard.push(data)));
  stack.defer(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as net.AddressInfo;
  const line = stack.use(
    await startSlowLine({ host: '127.0.0.1', port }, { bitsPerSecond: 5_000_000, roundTripMs: 100 }),
  );
  const socket = net.connect({ host: line.host, port: line.port, noDelay: true });
  stack.defer(() => void socket.destroy());
  await once(socket, 'connect');
  for (let packet = 0; packet < PACKETS; packet += 1) {
    socket.write(Buffer.of(packet >> 8, packet & 0xff));
    await sleep(1);
    if (packet % 10 === 0) stall(packet % 60);
  }
  await eventually('everything has arrived', async () => Buffer.concat(heard).length === 2 * PACKETS || undefined);
  const bytes = Buffer.concat(heard);
  const order = Array.from({ length: PACKETS }, (_, at) => bytes.readUInt16BE(2 * at));
  expect(order).toEqual(Array.from({ length: PACKETS }, (_, at) => at));
});
