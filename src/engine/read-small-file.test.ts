import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readSmallFile } from './read-small-file.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'spherecast-small-'));
const inside = (name: string): string => path.join(folder, name);

afterAll(() => rmSync(folder, { recursive: true }));

test('a file is read, by a link too', async () => {
  writeFileSync(inside('ca.pem'), 'certificates');
  symlinkSync(inside('ca.pem'), inside('link.pem'));
  expect(await readSmallFile(inside('link.pem'), 12)).toBe('certificates');
  await expect(readSmallFile(inside('ca.pem'), 11)).rejects.toMatchObject({ code: 'too-large' });
});

test('what is not there and what is no file fails by its code', async () => {
  await expect(readSmallFile(inside('nothing'), 100)).rejects.toMatchObject({ code: 'file-missing' });
  await expect(readSmallFile(folder, 100)).rejects.toMatchObject({ code: 'file-missing' });
});

test.skipIf(process.platform === 'win32')(
  'a pipe or an endless device fails at once (no pipes on Windows)',
  async () => {
    execFileSync('mkfifo', [inside('pipe')]);
    for (const endless of [inside('pipe'), '/dev/zero']) {
      await expect(readSmallFile(endless, 100)).rejects.toMatchObject({ code: 'file-missing' });
    }
  },
);
