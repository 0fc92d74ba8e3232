import { expect, test } from 'vitest';
import { plainName } from './plain-name.ts';

test.each([
  ['  Ana \n Maria\t', 'Ana Maria'],
  ['Zoé ❤️', 'Zoé ❤️'],
  ['gnp.\u202eanna', 'gnp.anna'],
  ['A\u2066n\u200bn\u00ada\u0000', 'Anna'],
  ['\u2800\u3164\u200b', ''],
  [`Z${'\u0335'.repeat(50)}o`, 'Z\u0335\u0335o'],
  ['x'.repeat(500), 'x'.repeat(60)],
  [`${'x'.repeat(59)}😀`, 'x'.repeat(59)],
  ['أمّ كلثوم', 'أمّ كلثوم'],
])('%j is shown as %j', (text, shown) => {
  expect(plainName(text)).toBe(shown);
});
