import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { SPHERECAST } from '../fixtures/programs.ts';

test('no program reads a package of many small files when it starts', () => {
  const folder = dirname(SPHERECAST);
  const programs = readdirSync(folder).filter((name) => name.endsWith('.js'));
  const imported = programs.flatMap((name) =>
    Array.from(readFileSync(join(folder, name), 'utf8').matchAll(/^import .*?"([^"]+)";$/gm), ([, from]) => from),
  );
  expect(imported).toContain('better-sqlite3');
  expect(imported.filter((from) => /^(zod|ltx|radash|@orpc|@noble|@xmpp)(\/|$)/.test(from ?? ''))).toEqual([]);
});
