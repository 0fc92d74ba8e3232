import { expect, test } from 'vitest';
import { readUrl, splitArguments } from '../commands/start.mjs';
import { openCommand } from './browser.mjs';
import { hasDisplay } from './electron.mjs';

test('a window needs X11 or Wayland on Linux and nothing on Windows and macOS', () => {
  expect(hasDisplay('linux', {})).toBe(false);
  expect(hasDisplay('linux', { DISPLAY: '' })).toBe(false);
  expect(hasDisplay('linux', { DISPLAY: ':0' })).toBe(true);
  expect(hasDisplay('linux', { WAYLAND_DISPLAY: 'wayland-0' })).toBe(true);
  expect(hasDisplay('darwin', {})).toBe(true);
  expect(hasDisplay('win32', {})).toBe(true);
});

test('each system opens an address in its own way, never through a shell', () => {
  const url = 'http://127.0.0.1:4000/#a&b';
  expect(openCommand('linux', url)).toEqual(['xdg-open', [url]]);
  expect(openCommand('darwin', url)).toEqual(['open', [url]]);
  expect(openCommand('win32', url)).toEqual(['rundll32', ['url.dll,FileProtocolHandler', url]]);
});

test('options of the program stand before serve, options of serve after it', () => {
  expect(splitArguments(['--profile', 'p', '--no-open', '--port', '0', '--verbose', '--timeout=5'])).toEqual({
    before: ['--profile', 'p', '--verbose', '--timeout=5'],
    after: ['--port', '0'],
    open: false,
  });
  expect(splitArguments([])).toEqual({ before: [], after: [], open: true });
});

test('the address is read from the ready line only', () => {
  expect(readUrl('{"url":"http://127.0.0.1:1/","pid":1}')).toBe('http://127.0.0.1:1/');
  expect(readUrl('listening')).toBeUndefined();
  expect(readUrl('null')).toBeUndefined();
  expect(readUrl('{"error":{"code":"profile-in-use"}}')).toBeUndefined();
});
