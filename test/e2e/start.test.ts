import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { EngineProcess } from '../fixtures/engine-process.ts';

const root = path.resolve(import.meta.dirname, '..', '..');

/** `npm start` of somebody without a display. */
async function start(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, DISPLAY: '', WAYLAND_DISPLAY: '' };
  const command = [path.join(root, 'tools', 'run.mjs'), 'start', ...args];
  const ended = promisify(execFile)(process.execPath, command, { cwd: root, env });
  return ended.then(
    (streams) => ({ ...streams, code: 0 }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

test('a second start tells where the application runs, and leaves it alone', async () => {
  await using engine = await EngineProcess.start({ address: '127.0.0.2' });
  const second = await start('--profile', engine.profile);
  expect({ code: second.code, stdout: second.stdout }).toEqual({
    code: 0,
    stdout: `Spherecast runs already, at ${engine.url}\n`,
  });
  expect(await engine.command(['status'])).toMatchObject({ url: engine.url });
  // A script that asks for an engine of its own is told that it got none.
  expect(await start('--no-open', '--profile', engine.profile)).toMatchObject({ code: 1 });
}, 120_000);

test('a start with a wrong option fails in words and makes no profile', async () => {
  const profile = path.join(root, 'artefacts', 'no-such-profile');
  const { code, stdout, stderr } = await start('--bogus', '--profile', profile);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain('Spherecast could not start: there is no option --bogus\n');
  expect(existsSync(profile)).toBe(false);
}, 120_000);
