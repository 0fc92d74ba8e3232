import { createHash, randomBytes } from 'node:crypto';
import { readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ItemLayout } from '../../test/fixtures/shared-item.ts';
import { RefusingDisk } from '../../test/fixtures/refusing-disk.ts';
import { SharedItem, readPiece } from '../../test/fixtures/shared-item.ts';
import { manyFiles } from '../../test/fixtures/many-files.ts';
import { cipherKey, cipherRange } from './cipher.ts';
import { readIdentity } from './file-identity.ts';
import type { ManyFiles } from './file-thread.ts';
import type { PieceStore } from './piece-store.ts';
import { pieceTools } from '../../test/fixtures/piece-tools.ts';

const PIECE = 16 * 1024;
const never = new AbortController().signal;
const all = (item: SharedItem): number[] => Array.from({ length: item.pieceCount }, (_, index) => index);

function layout(changes: Partial<ItemLayout> = {}): ItemLayout {
  return {
    pieceLength: PIECE,
    padding: 30_012,
    manifest: randomBytes(500),
    files: [
      { name: 'film.mp4', content: randomBytes(100_001) },
      { name: 'album/a.jpg', content: randomBytes(7) },
      { name: 'album/empty', content: new Uint8Array() },
      { name: 'album/deep/b.jpg', content: randomBytes(40_000) },
    ],
    ...changes,
  };
}

async function transfer(item: SharedItem, from: PieceStore, to: PieceStore, pieces = all(item)): Promise<void> {
  for (const index of pieces) await to.write(index, await readPiece(from, index));
}

async function expectReceived(item: SharedItem): Promise<void> {
  for (const { name, content } of item.layout.files) {
    expect(Buffer.compare(await readFile(item.received(name)), content)).toBe(0);
  }
}

test('what is shared from one folder arrives in another, byte for byte, and is served on from there', async () => {
  await using item = await SharedItem.make(layout());
  const { store: shared } = item.openShared();
  const { store: receiver, faults } = item.openReceiver();
  await transfer(item, shared, receiver, all(item).toReversed());
  const identities = await receiver.sync(never);
  await expectReceived(item);
  expect(identities).toEqual(await Promise.all(item.layout.files.map(({ name }) => readIdentity(item.received(name)))));
  for (const index of all(item)) expect(await readPiece(receiver, index)).toEqual(await readPiece(shared, index));
  expect(faults).toEqual([]);
  const modes = await Promise.all(item.layout.files.map(({ name }) => stat(item.received(name))));
  expect(modes.map(({ mode }) => mode & 0o111)).toEqual([0, 0, 0, 0]);
});

test('fifty random items arrive unchanged, encrypted and plain, whatever their files and piece order', async () => {
  const random = (below: number): number => randomBytes(4).readUInt32LE() % below;
  for (let round = 0; round < 50; round += 1) {
    const files = Array.from({ length: 1 + random(8) }, (_, index) => ({
      name: `${'folder/'.repeat(random(3))}file-${index}`,
      content: randomBytes(random(4) === 0 ? random(20) : random(60_000)),
    }));
    const random50 = layout({
      files,
      padding: random(40_000),
      manifest: randomBytes(random(900)),
      plain: round % 5 === 0,
    });
    await using item = await SharedItem.make({ ...random50, padding: random50.padding + 1 });
    const { store: shared } = item.openShared({ cacheBytes: random(2) * 100_000 });
    const { store: receiver } = item.openReceiver();
    const order = all(item).toSorted(() => random(2) - 0.5);
    await Promise.all(order.map(async (index) => receiver.write(index, await readPiece(shared, index))));
    const [index = 0] = order;
    expect(await readPiece(receiver, index)).toEqual(await readPiece(shared, index));
    await receiver.sync(never);
    await expectReceived(item);
    for (const piece of order) expect(await readPiece(receiver, piece)).toEqual(await readPiece(shared, piece));
  }
}, 60_000);

test('the swarm sees only ciphertext, and parts of a piece come from one reading', async () => {
  await using item = await SharedItem.make(layout());
  const { store } = item.openShared();
  const parts = await Promise.all(Array.from({ length: 16 }, (_, part) => store.read(1, part * 1024, 1024)));
  const piece = await readPiece(store, 1);
  expect(Buffer.concat(parts).compare(piece)).toBe(0);
  const plain = item.layout.files[0]?.content.subarray(PIECE, 2 * PIECE) ?? new Uint8Array();
  expect(Buffer.compare(piece, plain)).not.toBe(0);
  const key = cipherKey(item.mediaKey ?? new Uint8Array());
  expect(Buffer.compare(cipherRange(key, PIECE, piece), plain)).toBe(0);
});

test('without the key a store keeps and serves the ciphertext as it is', async () => {
  await using item = await SharedItem.make(layout());
  const { store: shared } = item.openShared();
  const whole = Buffer.concat(await Promise.all(all(item).map((index) => readPiece(shared, index))));
  const blind = await SharedItem.make({
    pieceLength: PIECE,
    padding: 0,
    manifest: new Uint8Array(),
    files: [{ name: 'data', content: whole }],
    plain: true,
  });
  await using _ = blind;
  expect(blind.shape).toEqual(item.shape);
  const { store: box } = blind.openReceiver();
  await transfer(blind, shared, box);
  await box.sync(never);
  expect((await readFile(blind.received('data'))).equals(whole)).toBe(true);
  expect(await readPiece(box, 2)).toEqual(await readPiece(shared, 2));
});

test('a piece that is refused, of wrong size or beyond the end writes nothing', async () => {
  await using item = await SharedItem.make(layout());
  const { store } = item.openReceiver();
  for (const [index, bytes] of [
    [0, new Uint8Array(PIECE - 1)],
    [-1, new Uint8Array(PIECE)],
    [item.pieceCount, new Uint8Array(PIECE)],
    [0.5, new Uint8Array(PIECE)],
  ] as const) {
    await expect(store.write(index, bytes)).rejects.toMatchObject({ code: 'bad-input' });
  }
  await expect(store.read(0, PIECE - 1, 2)).rejects.toMatchObject({ code: 'bad-input' });
  await expect(store.read(item.pieceCount, 0, 1)).rejects.toMatchObject({ code: 'bad-input' });
  expect(await readdir(join(item.folder, 'received'))).toEqual([]);
});

test('padding that is not zero and a manifest that differs are refused although the digest is right', async () => {
  await using item = await SharedItem.make(layout({ files: [{ name: 'a', content: randomBytes(100) }], padding: 500 }));
  const key = cipherKey(item.mediaKey ?? new Uint8Array());
  for (const place of [105, 120, item.shape.length - 1]) {
    const plain = Buffer.alloc(item.shape.length);
    plain.set(item.layout.files[0]?.content ?? [], 0);
    plain.set(item.layout.manifest, 112);
    plain[place] = (plain[place] ?? 0) ^ 1;
    const sealed = cipherRange(key, 0, plain);
    const pieces = Uint8Array.from(item.shape.pieces);
    pieces.set(createHash('sha1').update(sealed).digest(), 0);
    const { store } = item.openReceiver({ shape: { ...item.shape, pieces } });
    await expect(store.write(0, sealed)).rejects.toMatchObject({ code: 'invalid-torrent' });
  }
  expect(await readdir(join(item.folder, 'received'))).toEqual([]);
});

test('a resumed download keeps the pieces whose files are still there and fetches the others again', async () => {
  await using item = await SharedItem.make(layout());
  const { store: shared } = item.openShared();
  const { store: first } = item.openReceiver();
  await transfer(item, shared, first);
  await first[Symbol.asyncDispose]();
  const full = new Uint8Array(Math.ceil(item.pieceCount / 8)).fill(0xff);
  const { store: same } = item.openReceiver();
  expect(await same.resume(full, never)).toEqual(full);
  expect(await readPiece(same, 0)).toEqual(await readPiece(shared, 0));
  await rm(item.received('album/deep/b.jpg'));
  const { store: second } = item.openReceiver();
  const kept = await second.resume(full, never);
  const has = (index: number): boolean => ((kept[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0;
  expect(all(item).map(has)).toEqual(all(item).map((index) => index < 6 || index > 8));
  await transfer(
    item,
    shared,
    second,
    all(item).filter((index) => !has(index)),
  );
  await second.sync(never);
  await expectReceived(item);
  await truncate(item.received('film.mp4'), 0);
  const { store: third } = item.openReceiver();
  expect((await third.resume(full, never))[0]).toBe(0x01);
});

test('a file that its person edited while others of its folder were still missing is not overwritten after a restart', async () => {
  await using item = await SharedItem.make(layout());
  const { store: shared } = item.openShared();
  const { store: first } = item.openReceiver();
  await transfer(item, shared, first);
  await first[Symbol.asyncDispose]();
  await writeFile(item.received('film.mp4'), 'cut short');
  const full = new Uint8Array(Math.ceil(item.pieceCount / 8)).fill(0xff);
  for (const known of [full, new Uint8Array(full.length)]) {
    const { store } = item.openReceiver();
    await store.resume(known, never);
    await expect(transfer(item, shared, store, [0])).rejects.toMatchObject({ code: 'file-changed' });
    expect(await store.check(never)).toMatchObject({ kind: 'changed' });
    expect(await readFile(item.received('film.mp4'), 'utf8')).toBe('cut short');
  }
});

test('what a power cut lost is found before a download is called complete', async () => {
  await using item = await SharedItem.make(layout());
  const { store: shared } = item.openShared();
  const { store } = item.openReceiver();
  await transfer(item, shared, store);
  const film = await readFile(item.received('film.mp4'));
  film.fill(0, 2 * PIECE, 2 * PIECE + 4096);
  await writeFile(item.received('film.mp4'), film);
  expect(await store.badPieces(all(item), never)).toEqual([2]);
  await transfer(item, shared, store, [2]);
  expect(await store.badPieces(all(item), never)).toEqual([]);
  await store.sync(never);
  await expectReceived(item);
});

test('what a disk forgot that refused a sync is found, and the rest is written anew, before that disk is asked again', async () => {
  await using item = await SharedItem.make(layout());
  await using disk = new RefusingDisk({ from: 2 * PIECE, to: 3 * PIECE });
  const { store: shared } = item.openShared();
  const { store } = item.openReceiver({ files: disk });
  await transfer(item, shared, store);
  await expect(store.sync(never)).rejects.toMatchObject({ code: 'disk-full' });
  expect(await store.badPieces([], never)).toEqual([2]);
  // The first file has seven pieces; the system's memory may hold what the disk does not.
  expect(disk.written).toEqual(expect.arrayContaining([0, 1, 3, 4, 5, 6].map((piece) => piece * PIECE)));
  await transfer(item, shared, store, [2]);
  expect(await store.badPieces([], never)).toEqual([]);
  await store.sync(never);
  await expectReceived(item);
});

test('a neighbour in a piece that was synced already takes that piece again', async () => {
  const names = Array.from({ length: 40 }, (_, number) => ({ name: `${number}.jpg`, content: randomBytes(3000) }));
  await using item = await SharedItem.make(layout({ files: names }));
  const [{ store: shared }, { tools }] = [item.openShared(), { tools: pieceTools() }];
  const many = manyFiles();
  const refused = item.received('7.jpg');
  const sync: ManyFiles['sync'] = async (files, signal) => {
    const answers = await many.sync(files, signal);
    if (!files.some(({ path }) => path === refused) || isTold) return answers;
    isTold = true;
    await truncate(refused, 1000);
    await truncate(refused, 3000);
    return files.map(({ path }, index) => (path === refused ? 'EDQUOT' : answers[index]));
  };
  let isTold = false;
  const { store } = item.openReceiver({ tools: { ...tools, small: { ...many, sync } } });
  await transfer(item, shared, store);
  await expect(store.sync(never)).rejects.toMatchObject({ code: 'disk-full' });
  const bad = await store.badPieces([], never);
  expect(bad).toEqual([1]);
  await transfer(item, shared, store, bad);
  expect(await store.sync(never)).toHaveLength(40);
  await expectReceived(item);
});

test('a finished file is never written to, and a download that is not complete cannot be finished', async () => {
  await using item = await SharedItem.make(layout());
  const { store: shared } = item.openShared();
  await expect(shared.write(0, await readPiece(shared, 0))).rejects.toMatchObject({ code: 'conflict' });
  const { store } = item.openReceiver();
  await transfer(item, shared, store, [0]);
  await expect(store.sync(never)).rejects.toMatchObject({ code: 'file-missing' });
});

test('descriptors stay within the limit of the pool with far more files than that', async () => {
  const files = Array.from({ length: 300 }, (_, index) => ({ name: `f${index}`, content: randomBytes(500) }));
  await using item = await SharedItem.make(layout({ files }));
  const { store: shared } = item.openShared({ cacheBytes: 0 });
  const { store } = item.openReceiver();
  const sizes: number[] = [];
  await Promise.all(
    all(item).map(async (index) => {
      await store.write(index, await readPiece(shared, index));
      sizes.push(item.pool.size);
    }),
  );
  expect(Math.max(...sizes)).toBeLessThanOrEqual(16);
  await store.sync(never);
  await expectReceived(item);
});

test('a closed store answers nothing and deletes nothing', async () => {
  await using item = await SharedItem.make(layout());
  const { store } = item.openShared();
  await readPiece(store, 0);
  await store[Symbol.asyncDispose]();
  await expect(readPiece(store, 0)).rejects.toMatchObject({ code: 'cancelled' });
  expect(item.pool.size).toBe(0);
  expect((await readFile(item.original('film.mp4'))).length).toBe(100_001);
});

test('a wrong piece is told and nothing of it reaches the disk', async () => {
  await using item = await SharedItem.make(layout());
  const { store: shared } = item.openShared();
  const { store } = item.openReceiver();
  const piece = Uint8Array.from(await readPiece(shared, 0));
  piece[5] = (piece[5] ?? 0) ^ 1;
  expect(await store.write(0, piece)).toBe(false);
  expect(await readdir(join(item.folder, 'received'))).toEqual([]);
});

test('a borrowed piece stays what it is until it is let go, and its memory never held plain bytes', async () => {
  const buffers = pieceTools();
  await using item = await SharedItem.make(layout());
  const { store } = item.openShared({ cacheBytes: 0, tools: buffers });
  const [first, again] = await Promise.all([store.borrow(0), store.borrow(0)]);
  const kept = Buffer.from(first.bytes);
  for (const index of all(item).slice(1, -1)) (await store.borrow(index)).letGo();
  expect([again.bytes === first.bytes, Buffer.compare(first.bytes, kept)]).toEqual([true, 0]);
  first.letGo();
  expect(buffers.sealed.keptBytes).toBe(PIECE);
  again.letGo();
  expect(buffers.sealed.keptBytes).toBe(2 * PIECE);
  const plain = await readFile(item.original('film.mp4'));
  for (let left = buffers.sealed.keptBytes / PIECE; left > 0; left -= 1) {
    expect(plain.includes(buffers.sealed.take(PIECE).subarray(0, 64))).toBe(false);
  }
});
