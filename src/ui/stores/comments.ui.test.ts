import { createPinia, setActivePinia } from 'pinia';
import { createApp } from 'vue';
import { expect, test } from 'vitest';
import { fakeItem, fakeMember, fakeMessage, fakeSphere, ME } from '../../../test/fixtures/fake-views.ts';
import { parseEventId } from '../../base/id.ts';
import type { MessageView } from '../../contract/views.ts';
import { useCommentLines } from './comments.ts';
import { engineLineKey } from './engine.ts';

const sea = fakeSphere('Sea');
const film = fakeItem(sea, 'film.mp4', 'video');
const lineId = parseEventId(film.id);
const anna = fakeMember(ME, 'Anna');

function about(text: string, atMs: number, more: Partial<MessageView> = {}): MessageView {
  return fakeMessage(sea, anna, text, {
    atMs,
    replyTo: { id: lineId, kind: 'item', fromName: 'Anna', text: '' },
    ...more,
  });
}

/** An engine that has one comment already. */
async function opened() {
  const client = {
    messages: {
      comments: async () => ({ lineId, messages: [about('Lovely', 2)] }),
      say: async ({ text }: { text: string }) => ({ message: about(text, 9) }),
    },
  };
  const app = createApp({});
  const line = { call: (ask: (asked: never) => unknown) => ask(client as never), retryNow: () => undefined };
  app.use(createPinia()).provide(engineLineKey, line as never);
  const store = app.runWithContext(() => {
    setActivePinia(app.config.globalProperties.$pinia);
    return useCommentLines();
  });
  expect(await store.open(film)).toBe(lineId);
  return { store, texts: () => store.comments.get(lineId)?.map(({ text }) => text) };
}

test('what comes about an item that is open stands in its place, and once', async () => {
  const { store, texts } = await opened();
  store.apply(about('First!', 1));
  store.apply(about('Lovely', 2, { state: 'seen' }));
  store.apply(fakeMessage(sea, anna, 'about nothing', { atMs: 3 }));
  await store.say(sea.id, lineId, 'Mine');
  expect(texts()).toEqual(['First!', 'Lovely', 'Mine']);
});

test('what was taken back before it was sent is gone', async () => {
  const { store, texts } = await opened();
  store.forget(about('Lovely', 2).id);
  expect(texts()).toEqual([]);
});
