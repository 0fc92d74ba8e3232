import { expect, test } from 'vitest';
import type { DeviceKey, EventId } from '../base/id.ts';
import { mostWanted } from './most-wanted.ts';
import type { MissingRange } from './protocol/gaps.ts';

const gaps = (device: string, count: number): MissingRange[] =>
  Array.from({ length: count }, (_, index) => ({ device: device as DeviceKey, from: 2 * index, to: 2 * index }));

test('the many gaps of one device, made up or not, do not keep those of others from being asked for', () => {
  const ranges = [...gaps('made up', 200), ...gaps('hides', 200), ...gaps('ana', 1), ...gaps('ben', 2)];
  const first = mostWanted({ ranges, ids: [] }, (device) => device !== 'made up', 0);
  expect(first.ranges.slice(0, 4).map(({ device }) => device)).toEqual(['hides', 'ana', 'ben', 'hides']);
  expect(first.ranges).toHaveLength(32);
});

test('asked in vain it is the turn of the others, until everything was asked for and it begins anew', () => {
  const ids = Array.from({ length: 70 }, (_, index) => String(index) as EventId);
  const asked = [0, 1, 2].flatMap((turn) => mostWanted({ ranges: [], ids }, () => true, turn).ids);
  expect(asked).toEqual(ids);
  expect(mostWanted({ ranges: [], ids }, () => true, 3).ids).toEqual(ids.slice(0, 32));
  expect(mostWanted({ ranges: [], ids: ids.slice(0, 2) }, () => true, 5).ids).toEqual(ids.slice(0, 2));
});
