import { expect, test } from 'vitest';
import { parsePersonId } from '../../base/id.ts';
import { safetyNumber } from './safety-number.ts';

test('a person key has a number of 20 digits or six words, the same everywhere, and another key another one', async () => {
  const numbers = await Promise.all(['aa', 'ab'].map((byte) => safetyNumber(parsePersonId(byte.repeat(32)))));
  expect(numbers.map(({ digits }) => digits)).toEqual(['2819 5720 8338 1405 0589', '9375 9311 3886 7385 1968']);
  for (const { words } of numbers) {
    expect(words).toHaveLength(6);
    expect(words.every((place) => place >= 0 && place < 2048)).toBe(true);
  }
  expect(numbers[0]?.words).not.toEqual(numbers[1]?.words);
});

test('what is no key has no number', async () => {
  await expect(safetyNumber('aa' as never)).rejects.toMatchObject({ code: 'bad-input' });
});
