import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { hastyClock } from '../../test/fixtures/hasty-clock.ts';
import { UdpRouter } from '../../test/fixtures/udp-router.ts';
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { systemClock } from '../base/system-clock.ts';
import type { Gateway } from './gateway.ts';
import { findPcp } from './pcp.ts';

const never = new AbortController().signal;
const REQUEST = { protocol: 'tcp', internalPort: 40_001, wantedExternalPort: 40_001, lifetimeSeconds: 1_200 } as const;

interface Behaviour {
  readonly result?: number;
  readonly epoch?: () => number;
  readonly externalPort?: number;
}

/** What a correct router says to a request. */
function answerTo(packet: Uint8Array, { result = 0, epoch = () => 1_000, externalPort }: Behaviour = {}): Uint8Array {
  const answer = packet.slice();
  const view = new DataView(answer.buffer);
  view.setUint8(1, view.getUint8(1) | 0x80);
  view.setUint8(3, result);
  view.setUint32(8, epoch());
  answer.fill(0, 12, 24);
  if (answer.length === 60) {
    if (externalPort !== undefined) view.setUint16(42, externalPort);
    answer.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 11, 22, 33, 44], 44);
  }
  return answer;
}

function find(router: UdpRouter, secret: Uint8Array = new Uint8Array(32), clock: Clock = hastyClock): Promise<Gateway> {
  return findPcp({ clock, address: '127.0.0.1', port: router.port, secret }, never);
}

test('a port is mapped, and what was granted is told', async () => {
  await using router = await UdpRouter.start((packet) => [answerTo(packet, { externalPort: 40_777 })]);
  const gateway = await find(router);
  expect(await gateway.map(REQUEST, never)).toEqual({
    protocol: 'tcp',
    internalPort: 40_001,
    internalAddress: '127.0.0.1',
    externalAddress: '11.22.33.44',
    externalPort: 40_777,
    lifetimeSeconds: 1_200,
  });
});

test('a lost packet is sent again', async () => {
  await using router = await UdpRouter.start((packet, count) => (count % 3 === 0 ? [answerTo(packet)] : []));
  const gateway = await find(router);
  await gateway.map(REQUEST, never);
  expect(router.received).toHaveLength(6);
});

test('a thousand hostile replies before the true one change nothing', async () => {
  const forge = (packet: Uint8Array): Uint8Array[] =>
    Array.from({ length: 1_000 }, (_, index) => {
      const wrong = answerTo(packet, { externalPort: 666 });
      // Another nonce, protocol, inner port or operation; too short, too long or not a multiple of four.
      const at = [24, 35, 36, 40, 1][index % 8];
      if (at !== undefined) return wrong.with(at, ((wrong[at] ?? 0) + 1 + (index % 64)) % 128);
      if (index % 8 === 5) return wrong.subarray(0, index % 60);
      return new Uint8Array([...wrong, ...randomBytes(index % 8 === 6 ? 1_100 : 3)]);
    });
  await using router = await UdpRouter.start((packet) => {
    const hostile = packet.length === 60 ? forge(packet) : [];
    return [...hostile, answerTo(packet, { externalPort: 40_001 })];
  });
  const gateway = await find(router, new Uint8Array(32), systemClock);
  expect(await gateway.map(REQUEST, never)).toMatchObject({ externalPort: 40_001 });
});

test('an answer from another sender than the router is not heard', async () => {
  await using router = await UdpRouter.start(
    (packet, count) => (count > 1 && packet.length === 60 && count % 2 === 0 ? [] : [answerTo(packet)]),
    (packet) => [answerTo(packet, { externalPort: 666 })],
  );
  const gateway = await find(router);
  expect(await gateway.map(REQUEST, never)).toMatchObject({ externalPort: 40_001 });
});

test.each([
  ['a refusal', { result: 2 }],
  ['a granted port 0', { externalPort: 0 }],
])('%s is no mapping', async (_, behaviour) => {
  await using router = await UdpRouter.start((packet) => [answerTo(packet, packet.length === 60 ? behaviour : {})]);
  const gateway = await find(router);
  await expect(gateway.map(REQUEST, never)).rejects.toMatchObject({ code: 'not-allowed' });
});

test('a router of NAT-PMP, a silent one and none at all are told apart from one of PCP', async () => {
  await using older = await UdpRouter.start(() => [Uint8Array.of(0, 0x80, 0, 1, 0, 0, 0, 1)]);
  await expect(find(older)).rejects.toMatchObject({ code: 'not-found' });
  await using silent = await UdpRouter.start(() => []);
  await expect(find(silent)).rejects.toMatchObject({ code: 'timed-out' });
  expect(silent.received).toHaveLength(4);
  const gone = await UdpRouter.start(() => []);
  await gone[Symbol.asyncDispose]();
  await expect(find(gone)).rejects.toMatchObject({ code: 'not-found' });
});

test('all objects of one secret use the same nonce for a port, others do not', async () => {
  await using router = await UdpRouter.start((packet) => [answerTo(packet)]);
  const noncesOf = async (secret: Uint8Array) => {
    const before = router.received.length;
    await (await find(router, secret)).map(REQUEST, never);
    // A request that was repeated to a slow router carries the same nonce.
    return new Set(
      router.received
        .slice(before)
        .filter((packet) => packet.length === 60)
        .map((packet) => toHex(packet.slice(24, 36))),
    );
  };
  const first = await noncesOf(new Uint8Array(32));
  expect(first.size).toBe(1);
  expect(await noncesOf(new Uint8Array(32))).toEqual(first);
  expect(await noncesOf(new Uint8Array(32).fill(1))).not.toEqual(first);
});

test('a router never hears the nonce that another one got for the same port', async () => {
  const nonceOf = async (address: string): Promise<string> => {
    await using router = await UdpRouter.start((packet) => [answerTo(packet)], undefined, address);
    const deps = { clock: hastyClock, address, port: router.port, secret: new Uint8Array(32) };
    await (await findPcp(deps, never)).map(REQUEST, never);
    return toHex(router.received.at(-1)?.slice(24, 36) ?? new Uint8Array(0));
  };
  const [first, second] = [await nonceOf('127.0.0.1'), await nonceOf('127.0.0.2')];
  expect([first.length, second.length, first === second]).toEqual([24, 24, false]);
});

test('removing a mapping asks for a lifetime of 0 with its nonce', async () => {
  await using router = await UdpRouter.start((packet) => [answerTo(packet)]);
  const gateway = await find(router);
  await gateway.map(REQUEST, never);
  await gateway.unmap(REQUEST, never);
  const [mapped, removed] = router.received.filter((packet) => packet.length === 60);
  expect(removed?.subarray(4, 8)).toEqual(new Uint8Array(4));
  expect(removed?.subarray(24, 36)).toEqual(mapped?.subarray(24, 36));
  expect(removed?.subarray(42, 44)).toEqual(new Uint8Array(2));
});

test('a restart of the router is seen in its clock', async () => {
  let epoch = 5_000;
  await using router = await UdpRouter.start((packet) => [answerTo(packet, { epoch: () => epoch })]);
  const gateway = await find(router);
  const mapping = await gateway.map(REQUEST, never);
  expect(await gateway.isKept(mapping, never)).toBe(true);
  epoch = 1;
  expect(await gateway.isKept(mapping, never)).toBe(false);
  expect(await gateway.isKept(await gateway.map(REQUEST, never), never)).toBe(true);
  expect(await gateway.isKept({ ...mapping, internalAddress: '192.168.1.9' }, never)).toBe(false);
});

test('a changed outside address is seen, also by a clock that goes on', async () => {
  let last = 44;
  await using router = await UdpRouter.start((packet) => {
    const answer = answerTo(packet);
    return [answer.length === 60 ? answer.with(59, last) : answer];
  });
  const gateway = await find(router);
  const mapping = await gateway.map(REQUEST, never);
  expect(await gateway.isKept(mapping, never)).toBe(true);
  last = 55;
  expect(await gateway.isKept(mapping, never)).toBe(false);
});

test('a router that refuses to renew is asked for its clock only', async () => {
  let result = 0;
  let epoch = 5_000;
  await using router = await UdpRouter.start((packet) => [
    answerTo(packet, { result: packet.length === 60 ? result : 0, epoch: () => epoch }),
  ]);
  const gateway = await find(router);
  const mapping = await gateway.map(REQUEST, never);
  result = 8;
  expect(await gateway.isKept(mapping, never)).toBe(true);
  epoch = 1;
  expect(await gateway.isKept(mapping, never)).toBe(false);
});

test('a question ends at once when it is aborted', async () => {
  await using router = await UdpRouter.start(() => []);
  const abort = new AbortController();
  const asked = findPcp(
    { clock: hastyClock, address: '127.0.0.1', port: router.port, secret: new Uint8Array(32) },
    abort.signal,
  );
  abort.abort(new Error('enough'));
  await expect(asked).rejects.toThrow('enough');
});
