import { expect, test } from 'vitest';
import { hastyClock } from '../../test/fixtures/hasty-clock.ts';
import { UdpRouter } from '../../test/fixtures/udp-router.ts';
import type { Clock } from '../base/clock.ts';
import { systemClock } from '../base/system-clock.ts';
import type { Gateway } from './gateway.ts';
import { findNatPmp } from './nat-pmp.ts';

const never = new AbortController().signal;
const REQUEST = { protocol: 'tcp', internalPort: 40_001, wantedExternalPort: 40_001, lifetimeSeconds: 1_200 } as const;

/** A correct router in a state the test may change. */
class Router {
  result = 0;
  epoch = 1_000;
  address = [11, 22, 33, 44];
  externalPort: number | undefined;

  answer(packet: Uint8Array): Uint8Array {
    const answer = new Uint8Array(packet.length === 2 ? 12 : 16);
    const view = new DataView(answer.buffer);
    view.setUint8(1, 128 + (packet[1] ?? 0));
    view.setUint16(2, packet.length === 2 ? 0 : this.result);
    view.setUint32(4, this.epoch);
    answer.set(packet.length === 2 ? this.address : packet.subarray(4, 12), 8);
    if (packet.length > 2 && this.externalPort !== undefined) view.setUint16(10, this.externalPort);
    return answer;
  }
}

function find(router: UdpRouter, clock: Clock = hastyClock): Promise<Gateway> {
  return findNatPmp({ clock, address: '127.0.0.1', port: router.port }, never);
}

test('a port is mapped, and what was granted is told', async () => {
  const state = new Router();
  state.externalPort = 40_777;
  await using router = await UdpRouter.start((packet) => [state.answer(packet)]);
  expect(await (await find(router)).map(REQUEST, never)).toEqual({
    protocol: 'tcp',
    internalPort: 40_001,
    internalAddress: '127.0.0.1',
    externalAddress: '11.22.33.44',
    externalPort: 40_777,
    lifetimeSeconds: 1_200,
  });
});

test('a thousand hostile replies before the true one change nothing', async () => {
  const state = new Router();
  const forge = (packet: Uint8Array): Uint8Array[] =>
    Array.from({ length: 1_000 }, (_, index) => {
      const wrong = state.answer(packet).with(10, 1);
      // Another version, operation or inner port; too short.
      const at = [0, 1, 8, 9][index % 5];
      return at === undefined
        ? wrong.subarray(0, index % 16)
        : wrong.with(at, ((wrong[at] ?? 0) + 1 + (index % 250)) % 256);
    });
  await using router = await UdpRouter.start((packet) => [
    ...(packet.length === 12 ? forge(packet) : []),
    state.answer(packet),
  ]);
  expect(await (await find(router, systemClock)).map(REQUEST, never)).toMatchObject({ externalPort: 40_001 });
});

test('an answer about UDP is no answer about TCP', async () => {
  const state = new Router();
  await using router = await UdpRouter.start((packet) => {
    const answer = state.answer(packet);
    return packet.length === 2 ? [answer] : [answer.with(1, 129).with(10, 1), answer];
  });
  expect(await (await find(router)).map(REQUEST, never)).toMatchObject({ externalPort: 40_001 });
});

test('a refusal, a router without an outside line and a granted port 0 are no mapping', async () => {
  const state = new Router();
  await using router = await UdpRouter.start((packet) => [state.answer(packet)]);
  const gateway = await find(router);
  state.result = 2;
  await expect(gateway.map(REQUEST, never)).rejects.toMatchObject({ code: 'not-allowed' });
  state.result = 0;
  state.externalPort = 0;
  await expect(gateway.map(REQUEST, never)).rejects.toMatchObject({ code: 'not-allowed' });
  await using offline = await UdpRouter.start(() => [Uint8Array.of(0, 128, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0)]);
  await expect(find(offline)).rejects.toMatchObject({ code: 'not-allowed', details: { result: 3 } });
});

test('a restart and another outside address are seen', async () => {
  const state = new Router();
  await using router = await UdpRouter.start((packet) => [state.answer(packet)]);
  const gateway = await find(router);
  const mapping = await gateway.map(REQUEST, never);
  expect(await gateway.isKept(mapping, never)).toBe(true);
  state.address = [11, 22, 33, 55];
  expect(await gateway.isKept(mapping, never)).toBe(false);
  const again = await gateway.map(REQUEST, never);
  expect(again.externalAddress).toBe('11.22.33.55');
  state.epoch = 2;
  expect(await gateway.isKept(again, never)).toBe(false);
});

test('removing a mapping asks for a lifetime and an outside port of 0', async () => {
  const state = new Router();
  await using router = await UdpRouter.start((packet) => [state.answer(packet)]);
  const gateway = await find(router);
  await gateway.map(REQUEST, never);
  await gateway.unmap(REQUEST, never);
  expect([...(router.received.at(-1) ?? [])]).toEqual([0, 2, 0, 0, 0x9c, 0x41, 0, 0, 0, 0, 0, 0]);
});
