import { expect, test } from 'vitest';
import { hueOf, initialsOf } from './tint.ts';

test('a person keeps the same colour', () => {
  expect(hueOf('anna@example.org')).toBe(hueOf('anna@example.org'));
  expect(hueOf('anna@example.org')).toBeLessThan(360);
});

test('initials come from the name, or from the part of an address before the at sign', () => {
  expect(initialsOf('Ben Moreau')).toBe('BM');
  expect(initialsOf('chloé')).toBe('C');
  expect(initialsOf('marc.dupont@example.com')).toBe('MD');
  expect(initialsOf('')).toBe('?');
});
