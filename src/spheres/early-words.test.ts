import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { DeviceKey, EventId, SphereId } from '../base/id.ts';
import { parseBareJid } from '../base/id.ts';
import { EarlyWords } from './early-words.ts';
import type { IncomingEphemeral } from './incoming-message.ts';
import type { Sphere } from './sphere.ts';

const id = 'a'.repeat(64) as SphereId;
const [laptop, phone] = ['b'.repeat(64) as DeviceKey, 'c'.repeat(64) as DeviceKey];
const word = (number: number): IncomingEphemeral => ({
  room: parseBareJid('summer@rooms.sim'),
  sphere: id,
  epoch: 'd'.repeat(64) as EventId,
  bytes: Uint8Array.of(number),
});
/** A sphere in which these are known. */
const knowing = (...devices: DeviceKey[]) =>
  ({ id, state: { devices: new Map(devices.map((one) => [one, {}])) } }) as unknown as Sphere;
const numbers = (words: readonly IncomingEphemeral[]): number[] => words.map(({ bytes }) => Number(bytes[0]));

test('words wait for their own device, come out in order, and once', () => {
  const early = new EarlyWords(new VirtualClock());
  early.keep(word(1), laptop);
  early.keep(word(2), phone);
  early.keep(word(3), laptop);
  expect(numbers(early.take(knowing()))).toEqual([]);
  expect(numbers(early.take(knowing(laptop)))).toEqual([1, 3]);
  expect(numbers(early.take(knowing(laptop, phone)))).toEqual([2]);
  expect(numbers(early.take(knowing(laptop, phone)))).toEqual([]);
});

test('the newest sixteen words are kept, for a minute', async () => {
  const clock = new VirtualClock();
  const early = new EarlyWords(clock);
  for (let number = 0; number < 40; number += 1) early.keep(word(number), laptop);
  await clock.advance(59_000);
  early.keep(word(99), phone);
  expect(numbers(early.take(knowing(laptop)))).toEqual(Array.from({ length: 15 }, (_, index) => 25 + index));
  await clock.advance(60_000);
  expect(numbers(early.take(knowing(phone)))).toEqual([]);
});
