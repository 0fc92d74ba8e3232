import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { withTempFolder } from './temp-folder.mjs';

test('a temporary folder is one of its own, and goes with what was left in it', async () => {
  const folders: string[] = [];
  const leaveAFile = async (env: NodeJS.ProcessEnv) => {
    const folder = env['TMPDIR'] ?? '';
    writeFileSync(path.join(folder, 'left'), 'behind');
    folders.push(folder);
    return env['KEPT'];
  };
  expect(await withTempFolder({ KEPT: 'yes' }, leaveAFile)).toBe('yes');
  const failing = withTempFolder({}, async (env) => {
    await leaveAFile(env);
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(new Set(folders).size).toBe(2);
  expect(folders.map((folder) => existsSync(folder))).toEqual([false, false]);
});
