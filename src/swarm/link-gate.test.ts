import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { DeviceKey } from '../base/id.ts';
import { parseDeviceKey, parseInfoHash, parseSphereId } from '../base/id.ts';
import type { Dialled } from '../torrent/dialer.ts';
import type { Route } from '../torrent/route.ts';
import type { ConnectionInfo } from '../torrent/connection-info.ts';
import type { GatedTorrent } from './link-gate.ts';
import { LinkGate } from './link-gate.ts';

const device = (number: number): DeviceKey => parseDeviceKey(number.toString(16).padStart(64, '0'));
const [own, first, second] = [device(1), device(2), device(3)];

class FakeLink {
  readonly route: Route;
  readonly weDialled: boolean;
  readonly device: DeviceKey;
  ageMs = 60_000;
  readonly silentMs = 0;
  idleMs = 1_000;
  readonly isSuspect = false;
  isLetGo = false;

  constructor({ device: other, weDialled, route }: ConnectionInfo) {
    this.route = route;
    this.device = other;
    this.weDialled = weDialled;
  }

  destroy(): void {
    this.isLetGo = true;
  }
}

/** What was ended stays in the list for a moment, as it does in a torrent. */
class FakeTorrent implements GatedTorrent {
  readonly links: FakeLink[] = [];

  connect(_stream: unknown, info: ConnectionInfo): void {
    this.links.push(new FakeLink(info));
  }
}

function start(count: number) {
  const torrents = Array.from({ length: count }, () => new FakeTorrent());
  const gate = new LinkGate({ device: own, torrents: () => torrents });
  /** Whether the device's call for that torrent is taken; from one of its addresses where nothing else is said. */
  const calls = (other: DeviceKey, number: number, from?: Partial<Route>): boolean => {
    const host = `10.${number % 2}.${Number.parseInt(other.slice(-4, -2), 16)}.${Number.parseInt(other.slice(-2), 16)}`;
    const route: Route = { path: 'lan', address: `${host}:1`, ...from };
    const stream = new PassThrough();
    const purpose = 'swarm' as const;
    const admitted = { sphereId: parseSphereId('5'.repeat(64)), infoHash: parseInfoHash('1'.repeat(40)), purpose };
    const dialled: Dialled = { stream, route, device: other, admitted: { ...admitted, device: other } };
    gate.connect(torrents[number] ?? new FakeTorrent(), dialled, false);
    return !stream.destroyed;
  };
  const linksOf = (other: DeviceKey): number =>
    torrents.flatMap(({ links }) => links).filter((link) => link.device === other && !link.isLetGo).length;
  const isLinked = (other: DeviceKey, number: number): boolean =>
    torrents[number]?.links.some((link) => link.device === other && !link.isLetGo) === true;
  return { torrents, calls, linksOf, isLinked };
}

test('a device that holds all five hundred places shuts nobody out: its idlest link gives way', () => {
  const { torrents, calls, linksOf } = start(501);
  for (let number = 0; number < 500; number += 1) expect(calls(first, number)).toBe(true);
  const idlest = torrents[7]?.links[0] as FakeLink;
  idlest.idleMs = 5_000;
  expect(calls(first, 500)).toBe(false);
  expect(calls(second, 500)).toBe(true);
  expect([idlest.isLetGo, linksOf(first), linksOf(second)]).toEqual([true, 499, 1]);
});

test('whoever gave way and comes back takes nothing back, however often, until both have as many', () => {
  const { calls, linksOf, isLinked } = start(500);
  for (let number = 0; number < 500; number += 1) calls(first, number);
  for (let round = 0; round < 3; round += 1) {
    for (let number = 0; number < 500; number += 1) {
      // As often as they miss one.
      for (const one of [second, first]) if (!isLinked(one, number)) calls(one, number);
    }
  }
  expect([linksOf(first), linksOf(second)]).toEqual([250, 250]);
});

test('a device that holds several links of a full torrent makes room in it for another one', () => {
  const { torrents, calls } = start(2);
  for (let number = 0; number < 57; number += 1) calls(device(100 + number), 0);
  for (let number = 0; number < 3; number += 1) calls(first, 0);
  expect(torrents[0]?.links).toHaveLength(60);
  expect(calls(second, 0)).toBe(true);
  expect(torrents[0]?.links.filter(({ isLetGo }) => isLetGo).map((link) => link.device)).toEqual([first]);
});

test('where everybody has one link of a full torrent nobody gives way', () => {
  const { torrents, calls } = start(1);
  for (let number = 0; number < 60; number += 1) calls(device(100 + number), 0);
  expect(calls(second, 0)).toBe(false);
  expect(torrents[0]?.links.every(({ isLetGo }) => !isLetGo)).toBe(true);
});

const NAT = { path: 'tcp', address: '203.0.113.9:1' } as const;

test('behind one address there are three hundred links at most, which the devices there share', () => {
  const { calls, linksOf } = start(400);
  for (let number = 0; number < 400; number += 1) calls(first, number, NAT);
  expect(linksOf(first)).toBe(300);
  for (let number = 0; number < 400; number += 1) calls(second, number, { ...NAT, address: '203.0.113.9:2' });
  expect([linksOf(first), linksOf(second)]).toEqual([150, 150]);
  const third = device(4);
  for (let number = 0; number < 200; number += 1) expect(calls(third, number)).toBe(true);
  expect([linksOf(first), linksOf(second), linksOf(third)]).toEqual([150, 150, 200]);
});

test('a device leaves its relay for the straight way also where its address has all the links it may', () => {
  const { torrents, calls, linksOf } = start(400);
  for (let number = 0; number < 150; number += 1) calls(first, number, NAT);
  for (let number = 0; number < 150; number += 1) calls(second, number, NAT);
  calls(second, 399, { ...NAT, path: 'turn' });
  expect(calls(second, 399, NAT)).toBe(true);
  expect(torrents[399]?.links.filter(({ isLetGo }) => !isLetGo).map(({ route }) => route.path)).toEqual(['tcp']);
  expect([linksOf(first), linksOf(second), calls(second, 398, NAT)]).toEqual([150, 151, false]);
});

test('a relay is the address of nobody', () => {
  const { calls, linksOf } = start(400);
  for (let number = 0; number < 400; number += 1) calls(first, number, { ...NAT, path: 'turn' });
  expect(linksOf(first)).toBe(400);
});

test('a device has one link for each torrent and a few more: of its own the idlest gives way, not a new one', () => {
  const { torrents, calls, linksOf } = start(10);
  const all = (): FakeLink[] => torrents.flatMap(({ links }) => links);
  // It cannot know yet that its calls before have died.
  for (let round = 0; round < 3; round += 1) {
    for (const link of all()) link.idleMs += 10_000;
    for (let number = 0; number < 10; number += 1) expect(calls(first, number)).toBe(true);
  }
  // With the one whose place the last call takes.
  expect(linksOf(first)).toBe(10 + 8 + 1);
  expect(all().filter(({ isLetGo, idleMs }) => isLetGo && idleMs < 5_000)).toEqual([]);
});
