import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { SphereId } from '../base/id.ts';
import { parseInfoHash, parseSphereId } from '../base/id.ts';
import type { Appetite } from '../torrent/torrent-spec.ts';
import { FetchTeller } from './fetch-teller.ts';

const [family, choir] = [parseSphereId('5'.repeat(64)), parseSphereId('6'.repeat(64))];
const hash = (number: number) => parseInfoHash(number.toString(16).padStart(40, '0'));

function start() {
  const clock = new VirtualClock(0);
  const told: { sphereId: string; count: number }[] = [];
  const teller = new FetchTeller({
    clock,
    tell: (sphereId, infoHashes) => told.push({ sphereId, count: infoHashes.length }),
    spawn: (_, task) => void task(new AbortController().signal),
  });
  /** `barren` are the connected full copies, and whether each gives nothing. */
  const look = (
    number: number,
    appetite: Appetite,
    barren: readonly boolean[] = [],
    sphereId = family,
    alsoIn: SphereId[] = [],
  ): void => {
    const links = barren.map((isBarren) => ({ isBarren }));
    teller.look({ spec: { sphereId, alsoIn, infoHash: hash(number) }, appetite, length: 1, links, bytesOf: () => 1 });
  };
  return { clock, told, look };
}

test('what begins together is told together, sphere by sphere, sixty-four at a time, and once', async () => {
  const { clock, told, look } = start();
  for (let number = 0; number < 100; number += 1) look(number, 'eager');
  look(200, 'eager', [], choir);
  for (let number = 0; number < 100; number += 1) look(number, 'eager');
  await clock.advance(50);
  for (let number = 0; number < 100; number += 1) look(number, 'eager');
  await clock.advance(1_000);
  expect(told).toEqual([
    { sphereId: family, count: 64 },
    { sphereId: family, count: 36 },
    { sphereId: choir, count: 1 },
  ]);
});

test('what is fetched in a sphere that goes on is told to those who are still in the former one too', async () => {
  const { clock, told, look } = start();
  look(1, 'eager', [], family, [choir]);
  await clock.advance(1_000);
  expect(told).toEqual([
    { sphereId: family, count: 1 },
    { sphereId: choir, count: 1 },
  ]);
});

test('what only offers itself or rests is not told, what is fetched again after a pause is', async () => {
  const { clock, told, look } = start();
  look(1, 'lazy');
  look(2, 'none');
  look(3, 'eager');
  look(3, 'none');
  await clock.advance(1_000);
  expect(told).toEqual([]);
  look(3, 'eager');
  await clock.advance(1_000);
  expect(told).toEqual([{ sphereId: family, count: 1 }]);
});

test('who is connected to somebody with all of it needs nobody else, until that one leaves', async () => {
  const { clock, told, look } = start();
  look(1, 'eager', [false]);
  await clock.advance(1_000);
  expect(told).toEqual([]);
  look(1, 'eager', []);
  await clock.advance(1_000);
  expect(told).toEqual([{ sphereId: family, count: 1 }]);
});

test('a member that says it has all of it and gives nothing does not keep it from being told', async () => {
  const { clock, told, look } = start();
  look(1, 'eager', [false]);
  look(1, 'eager', [true]);
  look(1, 'eager', [true]);
  await clock.advance(1_000);
  expect(told).toEqual([{ sphereId: family, count: 1 }]);
});

test('what was told and then served is told again once nobody serves it any more', async () => {
  const { clock, told, look } = start();
  look(1, 'eager', []);
  await clock.advance(1_000);
  look(1, 'eager', [false]);
  await clock.advance(60_000);
  look(1, 'eager', []);
  await clock.advance(1_000);
  expect(told).toEqual([
    { sphereId: family, count: 1 },
    { sphereId: family, count: 1 },
  ]);
});

test('where somebody serves and stops all the time it is told every half a minute at most, and at last once more', async () => {
  const { clock, told, look } = start();
  for (let round = 0; round < 100; round += 1) {
    look(1, 'eager', []);
    await clock.advance(60);
    look(1, 'eager', [false]);
    await clock.advance(40);
  }
  expect(told).toHaveLength(1);
  look(1, 'eager', []);
  await clock.advance(30_000);
  expect(told).toHaveLength(2);
  await clock.advance(600_000);
  expect(told).toHaveLength(2);
});

test('a new beginning during the rest does not use up what was to be told after it', async () => {
  const { clock, told, look } = start();
  look(1, 'eager', []);
  await clock.advance(5_000);
  look(1, 'eager', [false]);
  look(1, 'eager', []);
  await clock.advance(2_000);
  look(1, 'none');
  look(1, 'eager', []);
  await clock.advance(3_000);
  expect(told).toHaveLength(2);
  look(1, 'eager', [false]);
  await clock.advance(2_000);
  look(1, 'eager', []);
  await clock.advance(60_000);
  expect(told).toHaveLength(3);
});

test('what is served again when its rest is over is not told', async () => {
  const { clock, told, look } = start();
  look(1, 'eager', []);
  await clock.advance(60);
  look(1, 'eager', [false]);
  look(1, 'eager', []);
  look(1, 'eager', [false]);
  await clock.advance(60_000);
  expect(told).toHaveLength(1);
});
