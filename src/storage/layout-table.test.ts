import { expect, test } from 'vitest';
import { item, sphere } from '../../test/fixtures/storage-rows.ts';
import { StorageFolder, testSecretBox } from '../../test/fixtures/storage.ts';
import { toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { parseItemId } from '../base/id.ts';
import type { Segment } from '../contract/swarm.ts';
import { openDatabase } from './database.ts';
import { toJson } from './json.ts';
import { loadMigrations } from './migrations.ts';
import { Storage } from './storage.ts';

/** The last schema that kept layouts in the rows of items. */
const BEFORE = 14;

const manyFiles: Segment[] = Array.from({ length: 50_000 }, (_, index) => {
  const path = `/family/album/picture ${index}.jpg`;
  return { kind: 'file', offset: index * 16, length: 10, path, root: '/family', identity: null };
});

test('what an older database kept of the places of items is there after the upgrade', () => {
  using folder = new StorageFolder();
  {
    using database = openDatabase(folder.deps({ migrations: loadMigrations().slice(0, BEFORE) }));
    const { id, room, folder: place } = sphere;
    const name = testSecretBox.seal(toUtf8(sphere.name), 'sphere.name');
    database.run(
      `INSERT INTO sphere (id, name, room, folder, state, joined_lamport, created_at_ms, position, hidden)
       VALUES (@id, @name, @room, @place, 'joined', 1, 5, 1, 0)`,
      { id, name, room, place },
    );
    const values = {
      itemId: item.itemId,
      sphereId: sphere.id,
      infoHash: item.infoHash,
      bitfield: item.bitfield,
      path: item.path,
      layout: testSecretBox.seal(toUtf8(toJson(item.layout)), 'item.layout'),
    };
    const columns = 'item_id, sphere_id, info_hash, state, wanted, paused, bytes_have, bitfield, path, layout';
    const marks = "@itemId, @sphereId, @infoHash, 'sharing', 1, 0, 5, @bitfield, @path, @layout";
    database.run(`INSERT INTO item (${columns}, updated_at_ms) VALUES (${marks}, 7)`, values);
    const bare = { ...values, itemId: 'f'.repeat(64), layout: null };
    database.run(`INSERT INTO item (${columns}, updated_at_ms) VALUES (${marks}, 7)`, bare);
  }
  using database = openDatabase(folder.deps());
  const { items } = new Storage({ database });
  expect(items.get(item.itemId)).toMatchObject({ layout: item.layout, path: item.path, bytesHave: 5 });
  expect(items.get(parseItemId('f'.repeat(64)))).toMatchObject({ layout: null, path: item.path });
});

test('the places of 50,000 files are kept, and asked for again without being read again', () => {
  using folder = new StorageFolder();
  {
    using database = openDatabase(folder.deps());
    const { items, spheres } = new Storage({ database });
    spheres.put(sphere);
    items.put({ ...item, layout: manyFiles });
  }
  using database = openDatabase(folder.deps());
  const { items } = new Storage({ database });
  const first = items.get(item.itemId)?.layout;
  expect(first).toEqual(manyFiles);
  items.update(item.itemId, { bytesHave: 7, bitfield: Uint8Array.of(0xff) });
  expect(items.byInfoHash(item.infoHash)[0]?.layout).toBe(first);
});

test('items of more files than are remembered are listed with their places all the same', () => {
  using folder = new StorageFolder();
  {
    using database = openDatabase(folder.deps());
    const { items, spheres } = new Storage({ database });
    spheres.put(sphere);
    for (const digit of ['1', '2', '3']) {
      items.put({ ...item, itemId: parseItemId(digit.repeat(64)), layout: manyFiles });
    }
    items.put({ ...item, itemId: parseItemId('4'.repeat(64)), layout: null });
  }
  using database = openDatabase(folder.deps());
  const { items } = new Storage({ database });
  // Remembered, until the first one is.
  items.get(parseItemId('3'.repeat(64)));
  const lengths = items.list(sphere.id).map(({ layout }) => layout?.length ?? null);
  expect(lengths).toEqual([manyFiles.length, manyFiles.length, manyFiles.length, null]);
});

test('places that were just written are not read again', () => {
  using folder = new StorageFolder();
  using database = openDatabase(folder.deps());
  const { items, spheres } = new Storage({ database });
  spheres.put(sphere);
  items.put(item);
  items.update(item.itemId, { layout: manyFiles });
  expect(items.get(item.itemId)?.layout).toBe(manyFiles);
});

test('a place that was taken back with its transaction is not remembered', () => {
  using folder = new StorageFolder();
  using database = openDatabase(folder.deps());
  const storage = new Storage({ database });
  storage.spheres.put(sphere);
  storage.items.put(item);
  expect(() =>
    storage.transaction(() => {
      storage.items.update(item.itemId, { layout: null, path: null });
      expect(storage.items.get(item.itemId)?.layout).toBeNull();
      throw new AppError('internal', 'taken back');
    }),
  ).toThrow('taken back');
  expect(storage.items.get(item.itemId)).toEqual(item);
});

test('a place goes with its item', () => {
  using folder = new StorageFolder();
  using database = openDatabase(folder.deps());
  const { items, spheres } = new Storage({ database });
  spheres.put(sphere);
  items.put(item);
  items.remove(item.itemId);
  expect(database.one('SELECT count(*) AS count FROM item_layout')).toEqual({ count: 0 });
  items.put({ ...item, layout: null });
  expect(items.get(item.itemId)?.layout).toBeNull();
});
