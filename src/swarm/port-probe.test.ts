import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { DeviceKey } from '../base/id.ts';
import { parseDeviceKey, parseSphereId } from '../base/id.ts';
import type { Helper } from './port-probe.ts';
import { PortProbe } from './port-probe.ts';

const sphereId = parseSphereId('5'.repeat(64));
const door = '11.22.33.1:6881';
const helper = (digit: string): Helper => ({ sphereId, device: parseDeviceKey(digit.repeat(64)) });

function start(...helpers: Helper[]) {
  const clock = new VirtualClock(0);
  const asked: string[] = [];
  const endpoints = [door];
  const probe = new PortProbe({
    clock,
    endpoints: () => endpoints,
    helpers: () => helpers,
    ask: ({ device, endpoint }) => asked.push(`${device[0]} ${endpoint}`),
  });
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second += 1) {
      await clock.advance(1_000);
      probe.look();
    }
  };
  return { probe, asked, helpers, endpoints, pass };
}

const [ben, cara] = [helper('b'), helper('c')].map(({ device }) => device) as [DeviceKey, DeviceKey];

test('one member after the other is asked until one says something, and old programs say nothing', async () => {
  const { probe, asked, pass } = start(helper('b'), helper('c'), helper('d'));
  await pass(20);
  expect(asked).toEqual([`b ${door}`, `c ${door}`]);
  probe.heard(cara, door, 'reached');
  await pass(9 * 60);
  expect(asked).toHaveLength(2);
});

test('what is known is asked again in time, of somebody else', async () => {
  const { probe, asked, pass } = start(helper('b'), helper('c'));
  await pass(3);
  probe.heard(ben, door, 'reached');
  await pass(11 * 60);
  expect(asked.slice(0, 2)).toEqual([`b ${door}`, `c ${door}`]);
});

test('a member who does not get in is not believed alone, three of them are', async () => {
  const helpers = ['b', 'c', 'd', 'e'].map(helper);
  const { probe, asked, pass } = start(...helpers);
  for (const { device } of helpers) {
    await pass(3);
    // Once more says nothing more, and of those who were not asked nobody is waited for.
    for (const who of [device, device, helper('f').device]) probe.heard(who, door, 'unreachable');
  }
  await pass(5 * 60);
  expect(asked).toEqual([`b ${door}`, `c ${door}`, `d ${door}`]);
});

test('whoever comes first is asked as soon as somebody is there, and nobody about a door that has gone', async () => {
  const { asked, helpers, endpoints, pass } = start();
  await pass(60 * 60);
  expect(asked).toEqual([]);
  helpers.push(helper('b'));
  await pass(1);
  expect(asked).toEqual([`b ${door}`]);
  endpoints.pop();
  helpers.push(helper('c'));
  await pass(60);
  expect(asked).toHaveLength(1);
});

test('who did not understand is asked once in ten minutes, not all the time', async () => {
  const { asked, pass } = start(helper('b'));
  await pass(30 * 60);
  expect(asked.length).toBeGreaterThanOrEqual(2);
  expect(asked.length).toBeLessThanOrEqual(4);
});
