import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../test/fixtures/fuzz-runs.ts';
import { CHANNELS } from './channels.ts';
import { serveIpc } from './ipc.ts';

const OWN = 'http://127.0.0.1:4000/#/';
type Handler = (event: unknown, ...args: unknown[]) => Promise<unknown>;

function served() {
  const handlers = new Map<string, Handler>();
  const calls: unknown[] = [];
  serveIpc({
    ipcMain: {
      handle(channel: string, handler: Handler) {
        if (handlers.has(channel)) throw new Error(`second handler for ${channel}`);
        handlers.set(channel, handler);
      },
    } as never,
    isOwnPage: (url) => url === OWN,
    handlers: {
      notify: (...input) => {
        calls.push(input);
        return null;
      },
      pickFiles: (...input) => {
        calls.push(input);
        return ['/home/anna/film.mp4'];
      },
      openProfile: (...input) => {
        calls.push(input);
        return true;
      },
    },
  });
  const ask = (channel: string, args: readonly unknown[], senderFrame: unknown = { url: OWN, parent: null }) =>
    handlers.get(channel)?.({ senderFrame }, ...args);
  return { handlers, calls, ask };
}

test('every channel of the table is served once, and no other', () => {
  expect(Array.from(served().handlers.keys()).toSorted()).toEqual(Object.values(CHANNELS).toSorted());
});

test('our own page is answered', async () => {
  const { ask, calls } = served();
  await expect(ask(CHANNELS.pickFiles, [{ folders: true }])).resolves.toEqual(['/home/anna/film.mp4']);
  await expect(ask(CHANNELS.notify, ['Title', 'Text'])).resolves.toBeNull();
  expect(calls).toEqual([[{ folders: true }], ['Title', 'Text']]);
});

test('another site, a frame inside the page and a page that is gone are refused', async () => {
  const { ask, calls } = served();
  for (const frame of [{ url: 'https://example.org/', parent: null }, { url: OWN, parent: { url: OWN } }, null]) {
    await expect(ask(CHANNELS.pickFiles, [{ folders: true }], frame)).rejects.toThrow('not for this page');
  }
  expect(calls).toEqual([]);
});

test('junk never reaches a handler', async () => {
  const { ask, calls } = served();
  const isGood = (args: readonly unknown[]): boolean =>
    args.length === 2 && args.every((arg) => typeof arg === 'string' && arg.length <= 300);
  const junk = fc.array(fc.anything(), { maxLength: 4 }).filter((args) => !isGood(args));
  await fc.assert(
    fc.asyncProperty(junk, async (args) => {
      await expect(ask(CHANNELS.notify, args)).rejects.toThrow('malformed arguments');
    }),
    { numRuns: fuzzRuns(1000) },
  );
  await expect(ask(CHANNELS.notify, ['x'.repeat(301), ''])).rejects.toThrow('malformed');
  expect(calls).toEqual([]);
});
