import { expect, test } from 'vitest';
import { fakeItem } from '../../test/fixtures/fake-services.ts';
import type { ItemFileView } from '../contract/views.ts';
import { withAllFiles } from './all-files.ts';
import type { EngineClient } from './connect.ts';

const { signal } = new AbortController();
const [example] = fakeItem('picture.jpg').files;
const all = Array.from({ length: 12_345 }, (_, index) => ({ ...example, index }) as ItemFileView);

/** An engine that gives `there` of the files. */
function engineWith(there: number) {
  const asked: number[] = [];
  const files = ({ from, most }: { from: number; most: number }) => {
    asked.push(from);
    return Promise.resolve({ files: all.slice(from, Math.min(from + most, there)) });
  };
  return { asked, client: { items: { files } } as unknown as EngineClient };
}

const folder = { ...fakeItem('album'), files: all.slice(0, 500), fileCount: all.length };

test('the files of a long list are asked for behind those that came with the item', async () => {
  const { asked, client } = engineWith(all.length);
  expect((await withAllFiles(client, folder, signal)).files).toEqual(all);
  expect(asked).toEqual([500, 5500, 10_500]);
});

test('a list that cannot be read any further ends where it ends', async () => {
  expect((await withAllFiles(engineWith(700).client, folder, signal)).files).toHaveLength(700);
});

test('nobody is asked for the files of an item that has come with all of them, or whose list is not here', async () => {
  const { asked, client } = engineWith(all.length);
  const film = fakeItem('film.mp4');
  expect(await withAllFiles(client, film, signal)).toEqual(film);
  expect((await withAllFiles(client, { ...folder, files: [] }, signal)).files).toEqual([]);
  expect(asked).toEqual([]);
});
