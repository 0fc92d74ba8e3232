import { createSocket } from 'node:dgram';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { silentLogger } from '../base/log.ts';
import { isAnnouncement, RestartListener } from './restart-listener.ts';

/** RFC 6887 §14.1: version 2, an answer to operation 0, result 0, an epoch of 1 s. */
const PCP = Uint8Array.of(2, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, ...Array.from({ length: 12 }, () => 0));
/** RFC 6886 §3.2: version 0, an answer to operation 0, result 0, an epoch of 1 s, 11.22.33.44. */
const NAT_PMP = Uint8Array.of(0, 128, 0, 0, 0, 0, 0, 1, 11, 22, 33, 44);

test('the words of routers that nobody asked for are known', () => {
  expect(isAnnouncement(PCP)).toBe(true);
  expect(isAnnouncement(NAT_PMP)).toBe(true);
  // A request, a failure, an answer about a mapping, half a packet.
  for (const other of [
    PCP.with(1, 0),
    PCP.with(3, 2),
    NAT_PMP.with(1, 129),
    NAT_PMP.subarray(0, 7),
    PCP.subarray(0, 20),
  ]) {
    expect(isAnnouncement(other)).toBe(false);
  }
});

test('no packet breaks the listener’s reading', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_200 }), (packet) => {
      expect(typeof isAnnouncement(packet)).toBe('boolean');
    }),
  );
});

test('an announcement is told with its sender, anything else is not; a port in use is no harm', async () => {
  const port = await freePort();
  const heard: string[] = [];
  const open = (): RestartListener =>
    new RestartListener({ log: silentLogger, group: '224.0.0.1', port, onRestart: (router) => heard.push(router) });
  await using first = open();
  await using second = open();
  expect(first).not.toBe(second);
  const router = createSocket('udp4');
  while (heard.length === 0) {
    for (const packet of [NAT_PMP.subarray(0, 5), PCP.with(1, 0), PCP]) router.send(packet, port, '127.0.0.1');
    await delay(20);
  }
  router.close();
  expect(new Set(heard)).toEqual(new Set(['127.0.0.1']));
});

test('a port that another program does not share is done without', async () => {
  const greedy = createSocket('udp4');
  await new Promise<void>((resolve) => greedy.bind(0, resolve));
  const { port } = greedy.address();
  const listener = new RestartListener({ log: silentLogger, group: '224.0.0.1', port, onRestart: () => undefined });
  await delay(50);
  await listener[Symbol.asyncDispose]();
  greedy.close();
  expect(port).toBeGreaterThan(0);
});

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}
