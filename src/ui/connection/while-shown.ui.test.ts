import { expect, test } from 'vitest';
import type { EngineClient } from './engine-client.ts';
import { whileShown } from './while-shown.ts';

function openPage() {
  const shown = Object.assign(new EventTarget(), { visibilityState: 'visible' as DocumentVisibilityState });
  const looks: AbortSignal[] = [];
  const looking = (_input: undefined, { signal }: { signal: AbortSignal }): Promise<never> => {
    looks.push(signal);
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  // Only the call that is made here is needed.
  const client = { system: { looking } } as unknown as EngineClient;
  const online = whileShown({ page: shown as unknown as Document, call: (ask) => ask(client) });
  const show = (visibilityState: DocumentVisibilityState): void => {
    shown.visibilityState = visibilityState;
    shown.dispatchEvent(new Event('visibilitychange'));
  };
  return { online, show, looks, count: () => looks.filter(({ aborted }) => !aborted).length };
}

test('the engine hears that somebody looks while the page is shown, and no more once it is hidden', () => {
  const page = openPage();
  expect(page.count()).toBe(0);
  page.online(true);
  page.online(true);
  expect(page.count()).toBe(1);
  page.show('hidden');
  expect(page.count()).toBe(0);
  page.show('visible');
  expect([page.count(), page.looks.length]).toEqual([1, 2]);
});

test('a page that gets a new line tells it anew, and a hidden one does not', () => {
  const page = openPage();
  page.online(true);
  page.online(false);
  expect(page.count()).toBe(0);
  page.show('hidden');
  page.online(true);
  expect([page.count(), page.looks.length]).toEqual([0, 1]);
});
