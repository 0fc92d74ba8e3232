import { expect, test } from 'vitest';
import { ben, sphereId, startDialer } from '../../test/fixtures/dialing.ts';
import type { DeviceKey } from '../base/id.ts';
import { parseDeviceKey } from '../base/id.ts';

const SILENCE_MS = 5_000;
const theirs = '11.22.33.1:6881';
const near = '192.168.1.5:6881';

type Setup = ReturnType<typeof startDialer>;

const startAmongSilent = (): Setup =>
  startDialer(({ endpoint }) => (endpoint === theirs || endpoint === near ? 'refused' : 'unreachable'), SILENCE_MS);

const devices = (count: number): DeviceKey[] =>
  Array.from({ length: count }, (_, index) => parseDeviceKey(index.toString(16).padStart(64, 'a')));

/** Every five seconds each of them tells thirty addresses that it never told before. */
async function tellFreshAddresses({ dialer, clock }: Setup, hostile: readonly DeviceKey[], forMs: number) {
  let port = 1_024;
  for (let ms = 0; ms < forMs; ms += 5_000) {
    for (const device of hostile) {
      port += 1;
      const hosts = Array.from({ length: 10 }, (_, host) => [
        `192.168.7.${host}`,
        `11.22.44.${host}`,
        `[2a00:1450::${host}]`,
      ]);
      dialer.setEndpoints(
        sphereId,
        device,
        hosts.flat().map((host) => `${host}:${port}`),
        true,
      );
    }
    await clock.advance(5_000);
  }
}

const callsOf = ({ calls }: Setup, endpoint: string): number[] =>
  calls.filter((call) => call.endpoint === endpoint).map(({ atMs }) => atMs);

test.each([
  { count: 3, appetite: 'eager' },
  { count: 1, appetite: 'lazy' },
  { count: 3, appetite: 'lazy' },
] as const)(
  'a member is called within seconds and again ($appetite), while $count devices tell ever new addresses where nothing answers',
  async ({ count, appetite }) => {
    const setup = startAmongSilent();
    setup.state.appetite = appetite;
    await tellFreshAddresses(setup, devices(count), 10_000);
    setup.dialer.setEndpoints(sphereId, ben, [theirs]);
    await tellFreshAddresses(setup, devices(count), 50_000);
    const called = callsOf(setup, theirs);
    expect(called[0]).toBeLessThanOrEqual(25_000);
    expect(called.length).toBeGreaterThan(1);
  },
);

test('where a member was met a moment ago is called first, though forty devices that are gone have waited longer', async () => {
  const setup = startDialer(({ endpoint }) => (endpoint === theirs ? 'connected' : 'unreachable'), SILENCE_MS);
  const { dialer, clock, state } = setup;
  dialer.setEndpoints(sphereId, ben, [theirs]);
  await clock.advance(60_000);
  state.appetite = 'none';
  state.connected.clear();
  for (const [index, device] of devices(40).entries()) dialer.setEndpoints(sphereId, device, [`11.22.44.${index}:1`]);
  await clock.advance(1_000);
  state.appetite = 'eager';
  dialer.wake();
  await clock.advance(1_000);
  expect(callsOf(setup, theirs)).toEqual([0, 61_000]);
});

test('a better path is looked for within seconds, while a device tells ever new addresses where nothing answers', async () => {
  const setup = startAmongSilent();
  setup.state.appetite = 'lazy';
  setup.state.connected.set(ben, 2);
  await tellFreshAddresses(setup, devices(1), 10_000);
  setup.dialer.setEndpoints(sphereId, ben, [theirs]);
  await tellFreshAddresses(setup, devices(1), 10_000);
  expect(callsOf(setup, theirs)[0]).toBeLessThanOrEqual(15_000);
});

test.each([
  { name: 'sixteen ports', hosts: 1, ports: 16 },
  { name: 'three ports of each of twenty made-up addresses', hosts: 20, ports: 3 },
])(
  'a member in the own network is called within seconds, while a machine there announces $name',
  async ({ hosts, ports }) => {
    const setup = startAmongSilent();
    const { dialer, clock } = setup;
    for (let second = 0; second < 60; second += 1) {
      for (let fake = 0; fake < hosts * ports && second % 10 === 0; fake += 1) {
        const host = `192.168.1.${50 + (fake % hosts)}`;
        dialer.near(sphereId, `${host}:${5_000 + Math.floor(fake / hosts)}`, host);
      }
      if (second === 20) dialer.near(sphereId, near, '192.168.1.5');
      if (second === 20) dialer.setEndpoints(sphereId, ben, [theirs]);
      await clock.advance(1_000);
    }
    expect(callsOf(setup, near)[0]).toBeLessThanOrEqual(30_000);
    expect(callsOf(setup, theirs)[0]).toBe(20_000);
  },
);
