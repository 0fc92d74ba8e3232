import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('without Electron the smoke test says loudly that it tested nothing, and does not pass', async () => {
  const env = { ...process.env, ELECTRON_OVERRIDE_DIST_PATH: path.join(import.meta.dirname, 'no-such-folder') };
  const { stdout } = await promisify(execFile)(process.execPath, [path.join(import.meta.dirname, 'smoke.mjs')], {
    env,
  });
  expect(stdout).toMatch(/^SKIP SKIP SKIP {2}Nothing was tested on Electron/);
  expect(stdout).not.toContain('PASS');
});
