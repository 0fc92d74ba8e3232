import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { cliDocument } from './document.ts';

test('docs/cli.md says what the commands do', () => {
  expect(readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')).toBe(cliDocument());
});
