import { expect, test } from 'vitest';
import { readPreferences, systemLanguage } from './preferences.ts';

test('stored choices are read back, anything else is the default', () => {
  expect(readPreferences('a=b; spherecast-preferences=fr.dark')).toEqual({ language: 'fr', theme: 'dark' });
  expect(readPreferences('')).toEqual({ language: 'system', theme: 'system' });
  expect(readPreferences('spherecast-preferences=xx.pink')).toEqual({ language: 'system', theme: 'system' });
});

test('the first language of the system that we speak is taken, else English', () => {
  expect(systemLanguage(['de-DE', 'fr-CA', 'en'])).toBe('fr');
  expect(systemLanguage(['de', 'ja'])).toBe('en');
  expect(systemLanguage([])).toBe('en');
});
