import { createPinia } from 'pinia';
import { expect, test } from 'vitest';
import { createApp } from 'vue';
import { fakeMember, fakeMessage, fakeSphere } from '../../../test/fixtures/fake-views.ts';
import type { MessageView } from '../../contract/views.ts';
import type { EngineClient } from '../connection/engine-client.ts';
import { engineLineKey, type EngineLine } from './engine.ts';
import { useMessages } from './messages.ts';

const sphere = fakeSphere('Sea');
const ben = fakeMember('ben@example.org', 'Ben');
const line = (number: number): MessageView => fakeMessage(sphere, ben, `line ${number}`, { atMs: number * 1000 });

interface Page {
  readonly before?: string;
  readonly after?: string;
  readonly around?: string;
  readonly limit?: number;
}

/** The store over an engine that holds `all`, oldest first. */
function storeOver(all: MessageView[]) {
  const client = {
    messages: {
      list: ({ before, after, around, limit = 100 }: Page) => {
        const place = all.findIndex(({ id }) => id === (after ?? around));
        const first = around === undefined ? place + 1 : Math.max(0, place - Math.floor(limit / 2));
        if (place >= 0) return Promise.resolve({ messages: all.slice(first, first + limit) });
        const end = before === undefined ? all.length : all.findIndex(({ id }) => id === before);
        return Promise.resolve({ messages: all.slice(Math.max(0, end - limit), end) });
      },
      say: ({ text }: { text: string }) =>
        text === 'bad' ? Promise.reject(new Error('no')) : Promise.resolve({ message: fakeMessage(sphere, ben, text) }),
    },
  } as unknown as EngineClient;
  const engine: EngineLine = { call: (ask) => ask(client), retryNow: () => undefined };
  const app = createApp({ render: () => null });
  app.provide(engineLineKey, engine);
  app.use(createPinia());
  return app.runWithContext(() => useMessages());
}

const texts = (store: ReturnType<typeof storeOver>): string[] =>
  store.conversations.get(sphere.id)?.messages.map(({ text }) => text) ?? [];

test('the newest page is loaded first and older ones are put before it', async () => {
  const all = Array.from({ length: 130 }, (_, index) => line(index));
  const store = storeOver(all);
  await store.open(sphere.id);
  expect(texts(store)).toHaveLength(60);
  expect(texts(store).at(-1)).toBe('line 129');
  await store.older(sphere.id);
  await store.older(sphere.id);
  expect(texts(store)).toEqual(all.map(({ text }) => text));
  expect(store.conversations.get(sphere.id)?.complete).toBe(true);
  expect(await store.older(sphere.id)).toBe(0);
});

test('a line far back is shown with those around it, and the newest come when the person gets there', async () => {
  const all = Array.from({ length: 400 }, (_, index) => line(index));
  const store = storeOver(all);
  await store.open(sphere.id);
  const far = all[100]?.id ?? line(0).id;
  expect(await store.openAround(sphere.id, far)).toBe(true);
  expect([texts(store).at(0), texts(store).at(-1)]).toEqual(['line 70', 'line 129']);
  store.applyMessage(line(400));
  expect(texts(store).at(-1)).toBe('line 129');
  await store.older(sphere.id);
  await store.newer(sphere.id);
  expect([texts(store).at(0), texts(store).at(-1)]).toEqual(['line 10', 'line 189']);
  await store.refresh();
  expect(texts(store)).toContain('line 100');
  await store.open(sphere.id);
  expect([texts(store).at(0), texts(store).at(-1)]).toEqual(['line 340', 'line 399']);
  store.applyMessage(line(400));
  expect(texts(store).at(-1)).toBe('line 400');
});

test('a message that changes its state stays in its place', async () => {
  const store = storeOver([line(1), line(2)]);
  await store.open(sphere.id);
  store.applyMessage({ ...line(1), state: 'undecryptable' });
  expect(texts(store)).toEqual(['line 1', 'line 2']);
  expect(store.conversations.get(sphere.id)?.messages[0]?.state).toBe('undecryptable');
});

test('a message that arrives late goes to its place in time', async () => {
  const store = storeOver([line(1), line(5)]);
  await store.open(sphere.id);
  store.applyMessage(line(3));
  store.applyMessage(line(9));
  expect(texts(store)).toEqual(['line 1', 'line 3', 'line 5', 'line 9']);
});

test('after a new connection nothing is doubled and what was missed appears', async () => {
  const all = [line(1), line(2)];
  const store = storeOver(all);
  await store.open(sphere.id);
  all.push(line(3));
  await store.refresh();
  expect(texts(store)).toEqual(['line 1', 'line 2', 'line 3']);
});

test('a long absence begins again from the newest page instead of leaving a hole', async () => {
  const all = [line(1), line(2)];
  const store = storeOver(all);
  await store.open(sphere.id);
  for (let number = 3; number <= 100; number += 1) all.push(line(number));
  await store.refresh();
  expect(texts(store)[0]).toBe('line 41');
  expect(store.conversations.get(sphere.id)?.complete).toBe(false);
});

test('messages of spheres that nobody opened are not kept', () => {
  const store = storeOver([]);
  store.applyMessage(line(1));
  expect(store.conversations.size).toBe(0);
});

test('nothing that was said or typed is left for the next person who signs in', async () => {
  const store = storeOver([line(1)]);
  await store.open(sphere.id);
  store.drafts.set(sphere.id, 'half a senten');
  store.keepOnly(new Set([sphere.id]));
  expect([texts(store), store.drafts.get(sphere.id)]).toEqual([['line 1'], 'half a senten']);
  store.forgetSphere(sphere.id);
  expect([store.conversations.size, store.drafts.size]).toEqual([0, 0]);
  await store.open(sphere.id);
  store.keepOnly(new Set());
  expect(store.conversations.size).toBe(0);
});

test('a line that was taken away disappears, also when that happened without a connection', async () => {
  const all = [line(1), line(2), line(3)];
  const store = storeOver(all);
  await store.open(sphere.id);
  store.forgetMessage(sphere.id, line(1).id);
  expect(texts(store)).toEqual(['line 2', 'line 3']);
  all.splice(0, 2);
  const refreshed = store.refresh();
  // What comes while the page is on its way is newer than it.
  store.applyMessage(line(4));
  await refreshed;
  expect(texts(store)).toEqual(['line 3', 'line 4']);
});

test('a line of long ago that is told only now stands where the engine says', async () => {
  const store = storeOver([line(1), line(5)]);
  await store.open(sphere.id);
  store.applyMessage({ ...line(3), order: line(9).order });
  expect(texts(store)).toEqual(['line 1', 'line 5', 'line 3']);
});
