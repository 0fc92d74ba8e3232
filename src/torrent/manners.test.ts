import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { Manners } from './manners.ts';

test('a peer may say anew what it has, as aria2 does in place of single pieces, and not without end', async () => {
  for (const id of [5, 14, 15]) {
    const clock = new VirtualClock();
    const manners = new Manners({ clock });
    for (let piece = 0; piece < 1000; piece += 1) {
      manners.check(id);
      await clock.advance(120);
    }
    const flood = (): void => {
      for (let message = 0; message < 200; message += 1) manners.check(id);
    };
    expect(flood).toThrow('too often');
  }
});

test('a peer that changes its mind without end is refused, and one that does so for a day is not', async () => {
  const clock = new VirtualClock();
  const patient = new Manners({ clock });
  for (let turn = 0; turn < 2000; turn += 1) {
    patient.check(turn % 4);
    await clock.advance(60);
  }
  const flood = (): void => {
    for (let turn = 0; turn < 2000; turn += 1) patient.check(turn % 4);
  };
  expect(flood).toThrow('too often');
});

test('blocks, requests and single pieces are not counted', () => {
  const manners = new Manners({ clock: new VirtualClock() });
  const stream = (): void => {
    for (let message = 0; message < 10_000; message += 1) for (const id of [4, 6, 7, 8]) manners.check(id);
  };
  expect(stream).not.toThrow();
});

test('a peer that rejects what it was never asked for without end is refused', () => {
  const manners = new Manners({ clock: new VirtualClock() });
  const flood = (): void => {
    for (let message = 0; message < 10_000; message += 1) manners.check(16);
  };
  expect(flood).toThrow('rejects more');
});
