import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { parseTarget } from './request-guard.ts';

test.each([
  ['/', ['']],
  ['/assets/a.js?x=1', ['assets', 'a.js']],
  ['/media/abc/%C3%A9t%C3%A9.mp4', ['media', 'abc', 'été.mp4']],
  ['/spheres/', ['spheres', '']],
])('%s is taken apart', (target, segments) => {
  expect(parseTarget(target)?.segments).toEqual(segments);
});

test.each([
  '',
  '*',
  'http://a/',
  '//a',
  '/a//b',
  '/..',
  '/a/../b',
  '/%2e%2e',
  '/%2f',
  '/%5c',
  '/%00',
  '/%ff',
  '/%',
  '/\\',
])('%j is no target', (target) => {
  expect(parseTarget(target)).toBeUndefined();
});

test('whatever a request line holds, no segment can lead out of its place', () => {
  const part = fc.constantFrom('/', '..', '.', '%2e', '%2F', '%5c', '%', 'ff', '%c3%a9', 'a', '?', '[', '\u0000', ':');
  const target = fc.oneof(
    fc.string(),
    fc.array(part, { maxLength: 12 }).map((parts) => `/${parts.join('')}`),
  );
  fc.assert(
    fc.property(target, (text) => {
      const segments = parseTarget(text)?.segments ?? [];
      const leads = (segment: string): boolean =>
        ['/', '\\', '\u0000'].some((sign) => segment.includes(sign)) || segment === '..' || segment === '.';
      expect(segments.some(leads)).toBe(false);
    }),
    { numRuns: fuzzRuns(2_000) },
  );
});
