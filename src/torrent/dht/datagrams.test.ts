import { createSocket } from 'node:dgram';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../../test/fixtures/virtual-clock.ts';
import { systemClock } from '../../base/system-clock.ts';
import { isInternetAddress } from '../internet-address.ts';
import type { DatagramDeps } from './datagrams.ts';
import { Datagrams } from './datagrams.ts';

const { signal } = new AbortController();

async function open(deps: Partial<DatagramDeps> = {}): Promise<Datagrams> {
  const usual = { clock: systemClock, policy: () => true, addresses: ['127.0.0.1'], onDatagram: () => undefined };
  return Datagrams.open({ ...usual, ...deps });
}

async function neighbour(): Promise<{ socket: ReturnType<typeof createSocket>; port: number; heard: Buffer[] }> {
  const socket = createSocket('udp4');
  const heard: Buffer[] = [];
  socket.on('message', (datagram) => heard.push(datagram));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { socket, port: socket.address().port, heard };
}

test('nothing goes to an address that is none of the internet, whoever names it', async () => {
  await using datagrams = await open({ policy: isInternetAddress });
  for (const host of [
    '127.0.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '239.1.1.1',
    '::1',
    'router.local',
    '2001:db8::1',
  ]) {
    await expect(datagrams.send(new Uint8Array(3), { host, port: 53 }, signal)).rejects.toThrow(
      expect.objectContaining({ code: 'not-allowed' }),
    );
  }
});

test('what leaves never exceeds its rate, and what waits ends with the port', async () => {
  const clock = new VirtualClock();
  const far = await neighbour();
  const datagrams = await open({ clock });
  const to = { host: '127.0.0.1', port: far.port };
  const sending = Array.from({ length: 500 }, () => datagrams.send(new Uint8Array(40), to, signal));
  const settled = Promise.allSettled(sending);
  for (let step = 0; step < 20; step += 1) await clock.advance(100);
  // A sentinel of our own comes after all that was sent before it.
  await new Promise<void>((resolve) => far.socket.send('end', far.port, '127.0.0.1', () => resolve()));
  await expect.poll(() => far.heard.at(-1)?.toString()).toBe('end');
  expect(far.heard.length).toBeGreaterThan(50);
  expect(far.heard.length).toBeLessThan(200);
  await datagrams[Symbol.asyncDispose]();
  expect((await settled).some(({ status }) => status === 'rejected')).toBe(true);
  expect(datagrams.port).toBe(0);
  far.socket.close();
});

test('of a flood no more is read than the rate allows', async () => {
  const clock = new VirtualClock();
  let read = 0;
  await using datagrams = await open({ clock, onDatagram: () => (read += 1) });
  await clock.advance(1_000);
  const far = await neighbour();
  for (let count = 0; count < 1_000; count += 1) {
    await new Promise<void>((resolve) => far.socket.send('flood', datagrams.port, '127.0.0.1', () => resolve()));
  }
  await expect.poll(() => read).toBeGreaterThan(0);
  await new Promise((resolve) => setImmediate(resolve));
  expect(read).toBeLessThanOrEqual(101);
  far.socket.close();
});

test('where we listen on no address of IPv4, no port is opened', async () => {
  await expect(open({ addresses: ['::1'] })).rejects.toThrow(expect.objectContaining({ code: 'disconnected' }));
});
