import { expect, test } from 'vitest';
import { parseDeviceKey } from '../base/id.ts';
import { Giving } from './giving.ts';

const anna = parseDeviceKey('a'.repeat(64));
const KiB = 1024;

function waits(giving: Giving, ticks: number): void {
  for (let tick = 0; tick < ticks; tick += 1) giving.tick(anna, true);
}

test('an honest device that starts slowly and then gives is not barren', () => {
  const giving = new Giving();
  waits(giving, 15);
  giving.gave(anna, 320 * KiB);
  waits(giving, 19);
  expect(giving.isBarren(anna)).toBe(false);
});

test('a barren device is barren until it gives enough, not a little', () => {
  const giving = new Giving();
  waits(giving, 20);
  giving.gave(anna, 319 * KiB);
  waits(giving, 1);
  expect(giving.isBarren(anna)).toBe(true);
  giving.gave(anna, KiB);
  waits(giving, 1);
  expect(giving.isBarren(anna)).toBe(false);
});

test('whoever is asked for nothing is not to blame', () => {
  const giving = new Giving();
  waits(giving, 19);
  giving.tick(anna, false);
  waits(giving, 19);
  expect(giving.isBarren(anna)).toBe(false);
});

test('of very many devices only those that were asked last are remembered', () => {
  const giving = new Giving();
  waits(giving, 20);
  for (let number = 0; number < 256; number += 1) {
    giving.tick(parseDeviceKey(number.toString(16).padStart(64, '0')), true);
  }
  expect(giving.isBarren(anna)).toBe(false);
});
