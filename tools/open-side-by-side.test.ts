import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openSideBySide, type WindowMeans } from './open-side-by-side.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'side-by-side-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const people = ['anna', 'ben'].map((name) => ({
  name,
  profile: path.join(folder, name),
  engine: { stop: () => Promise.resolve(0), pageUrl: () => Promise.resolve(`http://127.0.0.1/${name}`) },
}));

async function open(means: WindowMeans | 'none'): Promise<string[]> {
  await using things = new AsyncDisposableStack();
  const printed: string[] = [];
  await openSideBySide(people, means, { folder, print: (line) => printed.push(line), things });
  return printed;
}

describe('two applications side by side', () => {
  test.skipIf(process.platform === 'win32')(
    'without Electron, Chromium shows each person with a profile of its own, one next to the other',
    async () => {
      const chromium = path.join(folder, 'chromium');
      writeFileSync(chromium, '#!/bin/sh\necho "$@" > "$TMPDIR/arguments"\n', { mode: 0o755 });
      const means = { electron: { reason: 'of this test' }, hasDisplay: true, chromium };
      await using things = new AsyncDisposableStack();
      await openSideBySide(people, means, { folder, print: () => undefined, things });
      await expect.poll(() => starts()).toHaveLength(2);
      const [left, right] = await starts();
      expect(left).toContain(`--app=http://127.0.0.1/anna --user-data-dir=${path.join(folder, 'browser-anna')} `);
      expect(right).toContain(`--app=http://127.0.0.1/ben --user-data-dir=${path.join(folder, 'browser-ben')} `);
      const [, width] = /--window-size=(\d+),/.exec(left ?? '') ?? [];
      expect(xOf(right)).toBeGreaterThanOrEqual(xOf(left) + Number(width));
    },
  );

  test('with nothing to show a window on, the addresses are told', async () => {
    const urls = ['http://127.0.0.1/anna', 'http://127.0.0.1/ben'];
    expect(await open('none')).toEqual(urls);
    expect(await open({ electron: { reason: 'of this test' }, hasDisplay: false, chromium: '/nowhere' })).toEqual(urls);
  });
});

/** The arguments of each browser that has started, Anna's first. */
async function starts(): Promise<string[]> {
  const files = ['anna', 'ben'].map((name) => path.join(folder, `browser-${name}`, 'arguments'));
  const all = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  return all.filter((each) => each.endsWith('\n'));
}

const xOf = (start: string | undefined): number => Number(/--window-position=(\d+),/.exec(start ?? '')?.[1]);
