import { expect, test } from 'vitest';
import { shownText } from './shown-text.ts';

test('of a long text lists carry the beginning, and how much is left out', () => {
  expect(shownText('short\ntext')).toEqual({ text: 'short\ntext' });
  const long = 'x'.repeat(200_000);
  expect(shownText(long)).toEqual({ text: 'x'.repeat(4_000), more: 196_000 });
  const { text, more } = shownText('line\n'.repeat(1_000));
  expect([text.split('\n').length, text.length + (more ?? 0)]).toEqual([60, 5_000]);
});

test('no character is cut in two', () => {
  const { text } = shownText(`x${'😀'.repeat(3_000)}`);
  expect(text).toBe(`x${'😀'.repeat(1_999)}`);
});
