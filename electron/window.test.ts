import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { VirtualClock } from '../test/fixtures/virtual-clock.ts';
import { MainWindow, windowOptions } from './window.ts';

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

test('a page that crashes is loaded again, one that crashes at once stays down', async () => {
  const { window, clock, main, created } = openWindow();
  main.show('http://127.0.0.1:4000/?token=t');
  window.webContents.emit('render-process-gone', {}, { reason: 'crashed' });
  window.webContents.emit('render-process-gone', {}, { reason: 'crashed' });
  expect(window.reloads).toBe(1);
  await clock.advance(10_000);
  window.webContents.emit('render-process-gone', {}, { reason: 'oom' });
  window.webContents.emit('render-process-gone', {}, { reason: 'clean-exit' });
  expect([window.reloads, created()]).toEqual([2, 1]);
});

test('showing it again brings the one window to the front, and a new one after it was closed', () => {
  const { window, main, created, closed, saved } = openWindow();
  main.show('http://127.0.0.1:4000/');
  main.show('http://127.0.0.1:4000/');
  expect([created(), window.focused]).toEqual([1, 1]);
  window.emit('close');
  window.emit('closed');
  expect([closed(), saved]).toEqual([1, [{ bounds: { x: 1, y: 2, width: 900, height: 700 }, maximized: false }]]);
  main.show('http://127.0.0.1:4000/');
  expect(created()).toBe(2);
});

class FakeWindow extends EventEmitter {
  reloads = 0;
  focused = 0;
  readonly webContents = Object.assign(new EventEmitter(), { reload: () => (this.reloads += 1) });

  loadURL = async (): Promise<void> => undefined;
  isDestroyed = (): boolean => false;
  isMinimized = (): boolean => false;
  isMaximized = (): boolean => false;
  getNormalBounds = () => ({ x: 1, y: 2, width: 900, height: 700 });
  show = (): void => undefined;
  focus = (): void => void (this.focused += 1);
}

function openWindow() {
  const window = new FakeWindow();
  const clock = new VirtualClock();
  const saved: unknown[] = [];
  let created = 0;
  let closed = 0;
  const main = new MainWindow({
    create: () => {
      created += 1;
      return window as never;
    },
    stateFile: { state: { maximized: false }, update: (change: unknown) => saved.push(change) } as never,
    clock,
    onClosed: () => (closed += 1),
  });
  return { window, clock, main, saved, created: () => created, closed: () => closed };
}
