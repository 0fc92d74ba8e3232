import { expect, test } from 'vitest';
import { mediaOfNothing } from '../../test/fixtures/media-of-nothing.ts';
import { AppError } from '../base/errors.ts';
import type { AccountHolder } from './account-holder.ts';
import { previewsOf } from './preview-source.ts';

const ITEM = '17'.repeat(32);
const EVENT = '19'.repeat(32);
const HOSTILE = '20'.repeat(32);
const signal = new AbortController().signal;

function sourceOver(state: string) {
  const segment = (path: string) => ({ kind: 'file', offset: 0, length: 1, path, root: '/album', identity: null });
  const layout = [segment('/album/one.jpg'), { kind: 'bytes', offset: 1, bytes: 'x' }, segment('/album/two.jpg')];
  const storage = {
    items: { get: (id: string) => (id === ITEM ? { state, layout } : undefined) },
    attachments: { get: (id: string, kind: string) => beside[kind]?.[id] },
  };
  const beside: Record<string, Record<string, Uint8Array>> = {
    preview: { [ITEM]: Uint8Array.of(1) },
    picture: { [EVENT]: Uint8Array.of(1, 1, 1), [HOSTILE]: Uint8Array.of(1) },
  };
  const drawn: string[] = [];
  const media = {
    preview: (path: string) => {
      drawn.push(path);
      return Promise.resolve({ image: Uint8Array.of(2), thumbhash: new Uint8Array(), width: 1, height: 1 });
    },
    portrait: (bytes: Uint8Array) => {
      drawn.push(`of ${bytes.length} bytes`);
      const image = bytes.length > 2 ? Uint8Array.of(3) : null;
      return Promise.resolve(image && { png: image, side: 1, image });
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

test('the picture of a sphere is drawn anew, once, and one that cannot be drawn is shown to nobody', async () => {
  const { drawn, source } = sourceOver('complete');
  expect(await source.read(`sphere-${EVENT}`, signal)).toEqual(Uint8Array.of(3));
  expect(await source.read(`sphere-${EVENT}`, signal)).toEqual(Uint8Array.of(3));
  expect(await source.read(`sphere-${HOSTILE}`, signal)).toBeUndefined();
  expect(await source.read(`sphere-${HOSTILE}`, signal)).toBeUndefined();
  expect(await source.read(`sphere-${ITEM}`, signal)).toBeUndefined();
  expect(await source.read(EVENT, signal)).toBeUndefined();
  expect(drawn).toEqual(['of 3 bytes', 'of 1 bytes']);
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
  expect(await previewsOf(holder as never, mediaOfNothing).read(ITEM, signal)).toBeUndefined();
});
