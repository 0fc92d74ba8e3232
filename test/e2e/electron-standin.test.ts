import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { StandInApp } from '../fixtures/electron-standin/driver.ts';
import { EngineProcess, eventually } from '../fixtures/engine-process.ts';
import { missingPrograms } from '../fixtures/missing-programs.ts';
import type { XDisplay } from '../fixtures/x-display.ts';
import { startXDisplay } from '../fixtures/x-display.ts';

/** What a system gives; a single end on a busy machine says little. */
const MOST_MS = process.env['SPHERECAST_LONG'] === '1' ? 5_000 : 20_000;

const missing = missingPrograms('Xvfb', 'chromium');
let display: XDisplay | undefined;
let folder = '';
let profile = '';
let count = 0;

beforeAll(async () => {
  if (missing !== undefined) return;
  display = await startXDisplay();
  folder = await mkdtemp(path.join(tmpdir(), 'spherecast-desktop-'));
});

beforeEach(() => {
  count += 1;
  profile = path.join(folder, `profile-${count}`);
});

afterAll(async () => {
  await display?.[Symbol.asyncDispose]();
  if (folder === '') return;
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

describe.skipIf(missing !== undefined)('the stand-in finds what would go wrong silently', () => {
  const main = path.join(import.meta.dirname, '..', 'fixtures', 'electron-standin', 'broken', 'main.ts');
  const mistakes = [
    ['node-module', 'preload failed: module not found: node:fs'],
    ['unknown-channel', "No handler registered for 'misspelt'"],
    ['not-cloneable', 'could not be cloned'],
  ] as const;
  test.each(mistakes)('%s', async (BROKEN, expected) => {
    await using app = StandInApp.launch({ profile, display: display?.name ?? '', main, env: { BROKEN } });
    const problems = await eventually('a problem', async () => {
      const { problems: found } = await app.look();
      return found.length > 0 ? found : undefined;
    });
    expect(problems.join('\n')).toContain(expected);
  });
});

describe.skipIf(missing !== undefined)('the desktop application', () => {
  test('keeps the key of its profile where the system keeps secrets', async () => {
    await using app = await StandInApp.start({ profile, display: display?.name ?? '' });
    expect(await keptIn()).toBe('safe-storage');
    const sealed = await readFile(path.join(profile, 'secret.sealed'), 'utf8');
    expect(Buffer.from(sealed, 'base64').length).toBeGreaterThan(32);
    expect((await app.look()).problems).toEqual([]);
  });

  test('speaks French, and takes no key store for one that is none', async () => {
    const env = {
      STANDIN_LANGUAGE: 'fr-FR',
      STANDIN_KEYRING: 'basic_text',
      DBUS_SESSION_BUS_ADDRESS: 'unix:path=/none',
    };
    await using app = await StandInApp.start({ profile, display: display?.name ?? '', env });
    expect((await app.look()).trayMenu).toEqual(['Ouvrir Spherecast', 'Quitter Spherecast']);
    expect(await keptIn()).toBe('file');
  });

  test('says so when an engine without a window already runs for the profile, and ends', async () => {
    await using running = await EngineProcess.start({ profile, address: '127.0.0.1' });
    await using app = StandInApp.launch({ profile, display: display?.name ?? '' });
    const box = await eventually('the message', async () => (await app.look()).boxes[0]);
    expect(box.message).toBe('Spherecast could not start');
    expect(box.detail).toMatch(/^Spherecast is already running\./);
    await app.answer('OK');
    expect(await app.exited).toBe(0);
    expect((await fetch(await running.pageUrl(), { redirect: 'manual' })).status).toBe(302);
  });

  test('ends everything in the time a system gives when it says so, without a question', async () => {
    const app = await StandInApp.start({ profile, display: display?.name ?? '' });
    const startedMs = performance.now();
    await app[Symbol.asyncDispose]();
    expect(await app.exited).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(MOST_MS);
    await expect(readFile(path.join(profile, 'engine.json'))).rejects.toThrow('ENOENT');
  });
});

async function keptIn(): Promise<unknown> {
  const note: { keptIn?: unknown } = JSON.parse(await readFile(path.join(profile, 'secret.json'), 'utf8'));
  return note.keptIn;
}
