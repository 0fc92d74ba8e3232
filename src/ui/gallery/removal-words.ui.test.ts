import { expect, test } from 'vitest';
import { fakeItem, fakeSphere } from '../../../test/fixtures/fake-views.ts';
import type { ItemView } from '../../contract/views.ts';
import en from '../i18n/en.json';
import { removalWords } from './removal-words.ts';

const item = (more: Partial<ItemView>): ItemView =>
  fakeItem(fakeSphere('Sea'), 'film.mp4', 'video', {
    mine: false,
    path: '/films/film.mp4',
    state: 'complete',
    ...more,
  });

/** The sentence behind a key. */
const sentence = (key: string): string => String(Reflect.get(en.item, key.replace('item.', '')));

test('whoever deletes the last known copy has read that it may be gone for good', () => {
  const { mayStay, text, deleteCopy } = removalWords(item({ copies: 0 }));
  expect(mayStay).toBe(true);
  expect(sentence(text)).toContain('Nobody else');
  expect(sentence(deleteCopy)).toContain('for good');
});

test('a whole copy that is being checked again is not deleted unasked', () => {
  const checked = item({ state: 'verifying', bytesHave: 10, bytes: 100, copies: 2 });
  expect(removalWords(checked)).toMatchObject({ mayStay: true, text: 'item.removeText' });
});

test('nobody is promised that others keep what no other is known to have', () => {
  const all = [
    item({ copies: 0 }),
    item({ copies: 0, path: null, state: 'listed' }),
    item({ copies: 0, state: 'downloading' }),
    item({ copies: 0, mine: true, state: 'sharing' }),
  ];
  for (const each of all) expect(sentence(removalWords(each).text)).toMatch(/nobody else/i);
});

test('where others have it, it is said that it can be had again', () => {
  expect(removalWords(item({ copies: 2 }))).toMatchObject({ mayStay: true, text: 'item.removeText' });
  expect(removalWords(item({ copies: 2, state: 'downloading' }))).toMatchObject({
    mayStay: false,
    text: 'item.removePart',
  });
  expect(sentence(removalWords(item({ copies: 2 })).deleteCopy)).toContain('as long as someone else has it');
});
