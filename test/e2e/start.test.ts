import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { EngineProcess } from '../fixtures/engine-process.ts';

const root = path.resolve(import.meta.dirname, '..', '..');

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `npm start` of somebody without a display. */
const start = (...args: string[]): Promise<Ended> => startWith({ DISPLAY: '', WAYLAND_DISPLAY: '' }, ...args);

async function startWith(variables: Readonly<Record<string, string>>, ...args: string[]): Promise<Ended> {
  const env = { ...process.env, ...variables };
  const command = [path.join(root, 'tools', 'run.mjs'), 'start', ...args];
  const ended = promisify(execFile)(process.execPath, command, { cwd: root, env });
  return ended.then(
    (streams) => ({ ...streams, code: 0 }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

test('a second start tells why there is no window and where the application runs, and leaves it alone', async () => {
  await using engine = await EngineProcess.start({ address: '127.0.0.2' });
  const second = await start('--profile', engine.profile);
  expect({ code: second.code, stdout: second.stdout }).toEqual({
    code: 0,
    stdout: `Spherecast runs already, at ${engine.url}\n`,
  });
  const why = 'No Electron window, because there is no display: Spherecast runs in the browser instead.';
  expect(second.stderr.split('\n').filter((line) => line.includes('Electron'))).toEqual([why]);
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

test('a start with a display and the desktop runtime hands the application and its options to it', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'desktop-runtime-'));
  try {
    const note = path.join(folder, 'arguments');
    await writeFile(path.join(folder, 'electron'), `#!/bin/sh\nprintf '%s\\n' "$@" > '${note}'\nexit 7\n`);
    await chmod(path.join(folder, 'electron'), 0o755);
    const { code } = await startWith({ DISPLAY: ':7', ELECTRON_OVERRIDE_DIST_PATH: folder }, '--profile', '/nowhere');
    expect(code).toBe(7);
    const passed = (await readFile(note, 'utf8')).trimEnd().split('\n');
    expect(passed.filter((each) => each !== '--no-sandbox')).toEqual([root, '--profile', '/nowhere']);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);
