import { expect, test } from 'vitest';
import { readLine, splitArguments } from '../commands/start.mjs';
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

test('of the first line the address is read, or in words why there is none', () => {
  expect(readLine('{"url":"http://127.0.0.1:1/","pid":1}')).toEqual({ url: 'http://127.0.0.1:1/' });
  expect(readLine('listening')).toEqual({});
  expect(readLine('null')).toEqual({});
  const failed = '{"error":{"code":"usage","message":"there is no option --bogus"}}';
  expect(readLine(failed)).toEqual({ failure: 'there is no option --bogus', code: 'usage' });
});
