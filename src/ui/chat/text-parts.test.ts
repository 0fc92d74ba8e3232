import { expect, test } from 'vitest';
import { textParts } from './text-parts.ts';

const urls = (text: string) => textParts(text).flatMap(({ url }) => (url === null ? [] : [url]));

test('addresses of pages become links, and the text stays as it was written', () => {
  const text = 'See https://example.org/a?b=c#d, or http://example.org!';
  expect(urls(text)).toEqual(['https://example.org/a?b=c#d', 'http://example.org/']);
  expect(
    textParts(text)
      .map((part) => part.text)
      .join(''),
  ).toBe(text);
});

test('a bracket opened inside an address belongs to it, one around it does not', () => {
  expect(urls('(https://example.org/wiki/Lake_(water))')).toEqual(['https://example.org/wiki/Lake_(water)']);
  expect(urls('(see https://example.org/page)')).toEqual(['https://example.org/page']);
});

test.each([
  'javascript:alert(1)',
  'data:text/html,<script>1</script>',
  'file:///etc/passwd',
  'xmpp:anna@example.org',
  'https://',
  'https://bank.example@evil.example/',
  'xhttps://example.org',
])('%s is plain text', (text) => {
  expect(textParts(text)).toEqual([{ text, url: null }]);
});

test('signs that turn the direction of writing end an address', () => {
  expect(urls('https://example.org/\u202egro.live')).toEqual(['https://example.org/']);
});

test('the longest text of nothing but brackets after an address is read in no time', () => {
  const startedMs = performance.now();
  expect(urls(`https://example.org/${')'.repeat(200_000)}`)).toEqual(['https://example.org/']);
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});
