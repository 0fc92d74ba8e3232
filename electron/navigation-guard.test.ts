import { expect, test } from 'vitest';
import { guardNavigation, isOwnPage, restrictSession } from './navigation-guard.ts';

const ORIGIN = 'http://127.0.0.1:4000';
const FOREIGN = [
  'https://example.org/',
  'http://127.0.0.1:4001/',
  'http://localhost:4000/',
  'https://127.0.0.1:4000/',
  'http://127.0.0.1:4000@example.org/',
  'http://127.0.0.1:4000.example.org/',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'data:text/html,<p>',
  'blob:http://example.org/1',
  'about:blank',
  'not an address',
  '',
];

test('only pages of the running engine are our own', () => {
  expect(isOwnPage(`${ORIGIN}/#/sphere/1`, ORIGIN)).toBe(true);
  expect(FOREIGN.filter((url) => isOwnPage(url, ORIGIN))).toEqual([]);
  expect(isOwnPage(`${ORIGIN}/`, undefined)).toBe(false);
});

test('a page is kept where it is, whatever way it tries to leave', () => {
  const { contents, leave, openWindow } = fakeContents();
  const opened: string[] = [];
  guardNavigation(
    contents,
    () => ORIGIN,
    (url) => opened.push(url),
  );
  for (const way of ['will-navigate', 'will-redirect', 'will-frame-navigate']) {
    expect(FOREIGN.map((url) => leave(way, url))).toEqual(FOREIGN.map(() => 'prevented'));
    expect(leave(way, `${ORIGIN}/#/settings`)).toBe('left');
  }
  expect(leave('will-attach-webview', `${ORIGIN}/`)).toBe('prevented');
  expect(openWindow(`${ORIGIN}/`)).toEqual({ action: 'deny' });
  expect(opened).toEqual([]);
});

test('a link is followed in the browser of the system when it is one of the web, and never in a window of ours', () => {
  const { contents, openWindow } = fakeContents();
  const opened: string[] = [];
  guardNavigation(
    contents,
    () => ORIGIN,
    (url) => opened.push(url),
  );
  const addresses = ['https://example.org/a', 'file:///etc/passwd', 'javascript:alert(1)', 'smb://host/share', 'x'];
  for (const url of addresses) expect(openWindow(url)).toEqual({ action: 'deny' });
  expect(opened).toEqual(['https://example.org/a']);
});

test('the player gets full screen, nobody gets microphone or place', () => {
  const session = fakeSession();
  restrictSession(session.parts, () => ORIGIN);
  expect(session.check('fullscreen', ORIGIN)).toBe(true);
  expect(session.check('fullscreen', 'https://example.org')).toBe(false);
  expect(session.request('fullscreen', `${ORIGIN}/`)).toBe(true);
  expect(session.request('fullscreen', 'https://example.org/')).toBe(false);
  for (const permission of ['media', 'geolocation', 'notifications', 'clipboard-read', 'openExternal', 'hid']) {
    expect([permission, session.check(permission, ORIGIN), session.request(permission, ORIGIN)]).toEqual([
      permission,
      false,
      false,
    ]);
  }
});

test('the camera is for reading codes on our own page, and never comes with the microphone', () => {
  const session = fakeSession();
  restrictSession(session.parts, () => ORIGIN);
  expect(session.request('media', `${ORIGIN}/`, ['video'])).toBe(true);
  expect(session.check('media', ORIGIN, 'video')).toBe(true);
  expect(session.request('media', `${ORIGIN}/`, ['video', 'audio'])).toBe(false);
  expect(session.check('media', ORIGIN, 'audio')).toBe(false);
  expect(session.request('media', 'https://example.org/', ['video'])).toBe(false);
  expect(session.check('media', 'https://example.org', 'video')).toBe(false);
});

test('no request leaves this computer', () => {
  const session = fakeSession();
  restrictSession(session.parts, () => ORIGIN);
  expect(session.isCancelled(`${ORIGIN}/assets/main.js`)).toBe(false);
  expect(session.isCancelled('ws://127.0.0.1:4000/rpc')).toBe(false);
  expect(session.isCancelled('ws://127.0.0.1:4001/rpc')).toBe(true);
  expect(session.isCancelled('https://redirector.example.org/dictionary')).toBe(true);
});

function fakeContents() {
  const listeners = new Map<string, (event: never) => void>();
  let open: (details: never) => unknown = () => undefined;
  return {
    contents: {
      on: (name: string, listener: (event: never) => void) => listeners.set(name, listener),
      setWindowOpenHandler: (handler: (details: never) => unknown) => {
        open = handler;
      },
    } as never as Parameters<typeof guardNavigation>[0],
    leave(name: string, url: string) {
      let result = 'left';
      listeners.get(name)?.({ url, preventDefault: () => (result = 'prevented') } as never);
      return result;
    },
    openWindow: (url: string) => open({ url } as never),
  };
}

function fakeSession() {
  let onRequest: (
    contents: never,
    permission: never,
    answer: (allowed: boolean) => void,
    details: never,
  ) => void = () => undefined;
  let onCheck: (contents: never, permission: never, origin: string, details: never) => boolean = () => true;
  let before: (details: never, answer: (response: { cancel?: boolean }) => void) => void = () => undefined;
  const parts = {
    setPermissionRequestHandler: (handler: typeof onRequest) => (onRequest = handler),
    setPermissionCheckHandler: (handler: typeof onCheck) => (onCheck = handler),
    webRequest: { onBeforeRequest: (_filter: unknown, listener: typeof before) => (before = listener) },
  };
  return {
    parts: parts as never as Parameters<typeof restrictSession>[0],
    check: (permission: string, origin: string, mediaType?: string) =>
      onCheck(null as never, permission as never, origin, { mediaType } as never),
    request(permission: string, url: string, mediaTypes?: readonly string[]) {
      let allowed: boolean | undefined;
      onRequest({ getURL: () => url } as never, permission as never, (answer) => (allowed = answer), {
        mediaTypes,
      } as never);
      return allowed;
    },
    isCancelled(url: string) {
      let cancelled: boolean | undefined;
      before({ url } as never, ({ cancel }) => (cancelled = cancel));
      return cancelled;
    },
  };
}
