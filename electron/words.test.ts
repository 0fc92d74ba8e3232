import { expect, test } from 'vitest';
import { ERROR_CODES } from '../src/base/errors.ts';
import { wordsFor } from './words.ts';

test('the first language of the system that we speak is spoken', () => {
  const open = (...languages: string[]): string => wordsFor(languages).open;
  expect(open('fr-CA', 'en')).toBe('Ouvrir Spherecast');
  expect(open('de-DE', 'fr')).toBe('Ouvrir Spherecast');
  expect(open('en-GB', 'fr')).toBe('Open Spherecast');
  expect(open('ja')).toBe('Open Spherecast');
  expect(open()).toBe('Open Spherecast');
});

test.each(['en', 'fr'])('in %s every failure has a sentence without a code or a technical word', (language) => {
  const { failed } = wordsFor([language]);
  for (const code of ERROR_CODES) {
    expect(failed.reason(code).length).toBeGreaterThan(40);
    expect(failed.reason(code)).not.toMatch(/-in-|database|torrent|engine|port\b|XMPP/);
  }
});

test('a long list of only copies is cut', () => {
  const names = Array.from({ length: 8 }, (_, index) => `film ${index}`);
  const detail = wordsFor(['en']).onlyCopy.detail(names);
  expect(detail).toContain('• film 4\n… and 3 more');
  expect(detail).not.toContain('film 5');
});
