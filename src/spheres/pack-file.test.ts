import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createPerson, seededRandom } from '../../test/fixtures/protocol/people.ts';
import { foundWorld } from '../../test/fixtures/protocol/sphere-world.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { readPack, writePack } from './pack-file.ts';
import type { EnvelopeEntry } from './protocol/envelope.ts';
import { attachment, entryOf } from './protocol/envelope.ts';

const text = new Uint8Array(40 * 1024);

/** A file of chunks with one entry each, padded as it travels. */
async function packOf(folder: StorageFolder, lines: number, most?: number) {
  const { owner, sphereId } = foundWorld(createPerson('ana'));
  const entries = Array.from({ length: lines }, (_, at) =>
    entryOf(owner.say(`line ${at}`), [attachment('text', text)]),
  );
  const path = join(folder.folder, 'one.pack');
  const pack = { key: seededRandom('key')(32), sphereId };
  await writePack(path, { ...pack, entries: each(entries), random: seededRandom('chunks') }, most);
  await appendFile(path, new Uint8Array(1000));
  return { path, pack };
}

async function* each(entries: readonly EnvelopeEntry[]): AsyncGenerator<EnvelopeEntry> {
  await Promise.resolve();
  yield* entries;
}

async function count(chunks: AsyncIterable<unknown>): Promise<number> {
  let seen = 0;
  for await (const _ of chunks) seen += 1;
  return seen;
}

test('a pack of which all was stored when the program was killed ends there, and is no forgery', async () => {
  using folder = new StorageFolder();
  const { path, pack } = await packOf(folder, 3);
  const left = async (from: number): Promise<number> => await count(readPack(path, pack, from));
  expect([await left(0), await left(2), await left(3)]).toEqual([3, 1, 0]);
});

test('a pack that would fill the disk once it is unpacked is read only so far', async () => {
  using folder = new StorageFolder();
  const { path, pack } = await packOf(folder, 5);
  const most = 3 * 41 * 1024;
  const read: number[] = [];
  const all = async (): Promise<void> => {
    for await (const entries of readPack(path, pack, 0, most)) read.push(entries.length);
  };
  await expect(all()).rejects.toMatchObject({ code: 'too-large' });
  expect(read).toEqual([1, 1, 1]);
});

test('what is packed is never more than a reader takes', async () => {
  using folder = new StorageFolder();
  const most = 3 * 41 * 1024;
  const { path, pack } = await packOf(folder, 5, most);
  expect(await count(readPack(path, pack, 0, most))).toBe(3);
});
