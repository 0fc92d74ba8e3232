import { expect, test } from 'vitest';
import { CallsUnderWay } from './calls-under-way.ts';

const started = (calls: CallsUnderWay, isLazy: boolean, isStranger: boolean): number => {
  let count = 0;
  for (let origin = 0; origin < 100; origin += 1) {
    const kind = { isLazy, isStranger, lane: `${isStranger} ${origin} lan` };
    if (!calls.hasRoomFor(kind, false)) continue;
    calls.begin(kind);
    count += 1;
  }
  return count;
};

test.each([
  { isLazy: true, all: 4 },
  { isLazy: false, all: 32 },
])('addresses of which nobody knows whom they lead to leave half of $all places to the members', ({ isLazy, all }) => {
  const calls = new CallsUnderWay();
  expect(started(calls, isLazy, true)).toBe(all / 2);
  expect(started(calls, isLazy, false)).toBe(all / 2);
});

test('a call counts no more once it is disposed of', () => {
  const calls = new CallsUnderWay();
  const kind = { isLazy: true, isStranger: true, lane: 'lan' };
  const counted = [calls.begin(kind), calls.begin(kind)];
  expect(calls.hasRoomFor(kind, true)).toBe(false);
  for (const each of counted) each[Symbol.dispose]();
  expect(calls.hasRoomFor(kind, true)).toBe(true);
});
