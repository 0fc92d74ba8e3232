import { expect, test } from 'vitest';
import { AppError } from '../base/errors.ts';
import type { AccountHolder } from './account-holder.ts';
import { previewsOf } from './preview-source.ts';

const ITEM = '17'.repeat(32);
const signal = new AbortController().signal;

function sourceOver(state: string) {
  const segment = (path: string) => ({ kind: 'file', offset: 0, length: 1, path, root: '/album', identity: null });
  const layout = [segment('/album/one.jpg'), { kind: 'bytes', offset: 1, bytes: 'x' }, segment('/album/two.jpg')];
  const storage = {
    items: { get: (id: string) => (id === ITEM ? { state, layout } : undefined) },
    attachments: { get: () => Uint8Array.of(1) },
  };
  const drawn: string[] = [];
  const media = {
    preview: (path: string) => {
      drawn.push(path);
      return Promise.resolve({ image: Uint8Array.of(2), thumbhash: new Uint8Array(), width: 1, height: 1 });
    },
  };
  return { drawn, source: previewsOf({ session: { storage } } as never as AccountHolder, media) };
}

test('a file of a complete folder is drawn once, an item as its sharer drew it', async () => {
  const { drawn, source } = sourceOver('complete');
  expect(await source.read(ITEM, signal)).toEqual(Uint8Array.of(1));
  expect(await source.read(`${ITEM}-1`, signal)).toEqual(Uint8Array.of(2));
  expect(await source.read(`${ITEM}-1`, signal)).toEqual(Uint8Array.of(2));
  expect(drawn).toEqual(['/album/two.jpg']);
});

test.each(['downloading', 'changed', 'missing', 'listed'])('nothing is drawn of a folder that is %s', async (state) => {
  const { drawn, source } = sourceOver(state);
  expect(await source.read(`${ITEM}-0`, signal)).toBeUndefined();
  expect(drawn).toEqual([]);
});

test.each([`${ITEM}-2`, `${ITEM}--1`, `${ITEM}-x`, `${ITEM}-`, `${'18'.repeat(32)}-0`, 'nothing'])(
  'there is no picture called %s',
  async (id) => {
    const { drawn, source } = sourceOver('complete');
    expect([await source.read(id, signal), drawn]).toEqual([undefined, []]);
  },
);

test('without an account there are no pictures', async () => {
  const holder = {
    get session() {
      throw new AppError('no-account', 'nobody is signed in');
    },
  };
  const media = { preview: () => Promise.resolve(null) };
  expect(await previewsOf(holder as never, media).read(ITEM, signal)).toBeUndefined();
});
