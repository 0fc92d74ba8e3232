import { expect, test } from 'vitest';
import { windowOptions } from './window.ts';

const facts = { preload: '/p/preload.cjs', icon: '/p/icon.png', dark: false, platform: 'linux', place: null };

test('the page is sandboxed, isolated and without Node.js', () => {
  expect(windowOptions(facts).webPreferences).toMatchObject({
    sandbox: true,
    contextIsolation: true,
    nodeIntegration: false,
    nodeIntegrationInWorker: false,
    nodeIntegrationInSubFrames: false,
    webSecurity: true,
    webviewTag: false,
    preload: '/p/preload.cjs',
  });
});

test('a dark desktop gets a dark window before the page is there', () => {
  expect(windowOptions({ ...facts, dark: true }).backgroundColor).not.toBe(windowOptions(facts).backgroundColor);
  expect(windowOptions(facts).show).toBe(false);
});

test('the window comes back where it was', () => {
  const place = { x: 10, y: 20, width: 900, height: 700 };
  expect(windowOptions({ ...facts, place })).toMatchObject(place);
});

test('spelling is checked only where no word lists are fetched for it', () => {
  expect(windowOptions(facts).webPreferences?.spellcheck).toBe(false);
  expect(windowOptions({ ...facts, platform: 'darwin' }).webPreferences?.spellcheck).toBe(true);
});
