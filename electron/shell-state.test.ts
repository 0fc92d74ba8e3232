import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ShellStateFile, visibleBounds } from './shell-state.ts';

let file = '';
beforeEach(() => {
  file = path.join(mkdtempSync(path.join(tmpdir(), 'shell-state-')), 'window.json');
});
afterEach(() => rmSync(path.dirname(file), { recursive: true, force: true }));

const bounds = { x: 10, y: 20, width: 900, height: 700 };

test('size and place of the window are there at the next start', () => {
  new ShellStateFile(file).update({ bounds, maximized: true });
  const later = new ShellStateFile(file);
  expect(later.state).toEqual({ bounds, maximized: true, toldAboutClosing: false });
});

test('a damaged file counts as a first start', () => {
  const first = new ShellStateFile(file).state;
  new ShellStateFile(file).update({ toldAboutClosing: true });
  for (const text of ['', '{', '[]', '{"bounds":{"x":1e99}}', '{"maximized":"yes"}']) {
    writeFileSync(file, text);
    expect(new ShellStateFile(file).state).toEqual(first);
  }
});

test('a place that no screen shows any more is forgotten', () => {
  const screen = { x: 0, y: 0, width: 1920, height: 1080 };
  const second = { x: 1920, y: 0, width: 1920, height: 1080 };
  const onSecond = { ...bounds, x: 2500 };
  expect(visibleBounds(bounds, [screen])).toEqual(bounds);
  expect(visibleBounds(onSecond, [screen, second])).toEqual(onSecond);
  expect(visibleBounds(onSecond, [screen])).toBeNull();
  expect(visibleBounds({ ...bounds, y: -500 }, [screen])).toBeNull();
  expect(visibleBounds({ ...bounds, y: 1060 }, [screen])).toBeNull();
  expect(visibleBounds(null, [screen])).toBeNull();
});
