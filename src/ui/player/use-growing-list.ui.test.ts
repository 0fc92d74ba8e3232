import { expect, test } from 'vitest';
import { useGrowingList } from './use-growing-list.ts';

/** Somebody who has scrolled so far, and what that leads to. */
function scrolled(onScroll: (event: Event) => void, heights: { at: number; all: number }): void {
  const element = document.createElement('div');
  Object.defineProperty(element, 'clientHeight', { value: 800 });
  Object.defineProperty(element, 'scrollHeight', { value: heights.all });
  element.scrollTop = heights.at;
  element.addEventListener('scroll', onScroll);
  element.dispatchEvent(new Event('scroll'));
}

test('of fifty thousand entries a few are drawn, and more near their end', () => {
  const { shown, onScroll } = useGrowingList(() => Array.from({ length: 50_000 }, (_, index) => index));
  expect(shown.value).toHaveLength(200);
  scrolled(onScroll, { at: 100, all: 10_000 });
  expect(shown.value).toHaveLength(200);
  scrolled(onScroll, { at: 8_500, all: 10_000 });
  expect(shown.value).toHaveLength(400);
  expect(shown.value.at(-1)).toBe(399);
});

test('a short list is there as a whole', () => {
  const { shown, onScroll } = useGrowingList(() => ['one', 'two']);
  scrolled(onScroll, { at: 0, all: 800 });
  expect(shown.value).toEqual(['one', 'two']);
});
