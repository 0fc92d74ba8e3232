import { expect, test } from 'vitest';
import { message, sphere } from '../../test/fixtures/storage-rows.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { parseEventId } from '../base/id.ts';

test('to hear that a line was seen elsewhere goes through no lines that were read before', () => {
  using folder = new StorageFolder();
  using storage = folder.open();
  storage.spheres.put(sphere);
  const idOf = (number: number) => parseEventId(number.toString(16).padStart(64, '0'));
  const [few, many] = [idOf(9), idOf(9_999)];
  storage.transaction(() => {
    for (let number = 0; number < 10_000; number += 1)
      storage.messages.add({ ...message, id: idOf(number), state: 'guest', read: true });
  });
  const tookMs = (line: typeof few): number => {
    const startMs = performance.now();
    for (let round = 0; round < 200; round += 1) storage.messages.markLinesReadUpTo(sphere.id, line);
    return performance.now() - startMs;
  };
  // The best of ten each: the machine may stand still in any of them.
  const bestMs = (line: typeof few): number => Math.min(...Array.from({ length: 10 }, () => tookMs(line)));
  expect(bestMs(many)).toBeLessThan(10 * bestMs(few));
});
