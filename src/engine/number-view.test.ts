import { expect, test } from 'vitest';
import { parsePersonId } from '../base/id.ts';
import { viewNumber } from './number-view.ts';

test('six words stand for a person key, the same at each computer of a language', async () => {
  const { words } = await viewNumber(parsePersonId('aa'.repeat(32)));
  expect(words).toEqual({
    en: 'expire token major matrix weekend absent',
    fr: 'éligible sucre jauger juteux verrou aborder',
  });
  const other = await viewNumber(parsePersonId('ab'.repeat(32)));
  expect(other.words.en).not.toBe(words.en);
});
