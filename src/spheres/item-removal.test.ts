import { access, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { arrive, arriveFirstPiece, fetchBegun, sharedFilm } from '../../test/sim/received-item.ts';
import { noSignal } from '../../test/sim/sim-world.ts';
import { UNDO_MS } from './item-removal.ts';

const isThere = (path: string | null): Promise<boolean> =>
  access(path ?? '').then(
    () => true,
    () => false,
  );

test('an item removed with its copy is neither on the disk nor in the swarm, and can be fetched again after the undo', async () => {
  const film = await sharedFilm();
  const { ben, itemId } = film;
  await fetchBegun(film);
  await arrive(film);
  await expect.poll(() => ben.session.items.row(itemId).state).toBe('complete');
  const { items, swarm } = ben.session;
  const { path, infoHash } = items.row(itemId);
  expect(await items.remove(itemId, 'delete', noSignal)).toBe(0);
  expect(await isThere(path)).toBe(false);
  expect(swarm.torrents.has(infoHash)).toBe(false);
  expect(() => items.get(itemId)).toThrow('taken off the list');
  await items.restore(itemId, noSignal);
  expect(items.row(itemId)).toMatchObject({ state: 'listed', wanted: false, path: null, removedAtMs: 0 });
  await fetchBegun(film);
  expect(swarm.torrents.has(infoHash)).toBe(true);
});

test('an item removed without its copy leaves the file, is not served after a restart, and is again after the undo', async () => {
  const film = await sharedFilm();
  const { ben, itemId, world } = film;
  await fetchBegun(film);
  await arrive(film);
  await expect.poll(() => ben.session.items.row(itemId).state).toBe('complete');
  const { path, infoHash } = ben.session.items.row(itemId);
  await ben.session.items.remove(itemId, 'keep', noSignal);
  expect(await readFile(path ?? '', 'utf8')).toBe(film.content);
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect(ben.session.swarm.torrents.has(infoHash)).toBe(false);
  await ben.session.items.restore(itemId, noSignal);
  expect(ben.session.items.row(itemId).state).toBe('complete');
  expect(ben.session.swarm.torrents.has(infoHash)).toBe(true);
});

test('a removed download goes on from what had arrived when it is put back', async () => {
  const film = await sharedFilm();
  const { ben, itemId } = film;
  await fetchBegun(film);
  await arriveFirstPiece(film);
  const { infoHash, bitfield } = ben.session.items.row(itemId);
  await ben.session.items.remove(itemId, 'keep', noSignal);
  await ben.session.items.restore(itemId, noSignal);
  expect(ben.session.swarm.torrents.get(infoHash)?.bitfield).toEqual(bitfield);
});

test('a copy that was edited stays when its item is removed with it', async () => {
  const film = await sharedFilm();
  const { ben, itemId } = film;
  await fetchBegun(film);
  await arrive(film);
  const { path } = ben.session.items.row(itemId);
  await writeFile(path ?? '', 'my own cut');
  expect(await ben.session.items.remove(itemId, 'delete', noSignal)).toBe(1);
  expect(await readFile(path ?? '', 'utf8')).toBe('my own cut');
});

test('who stops sharing keeps the original and loses the link, and gets it back with the undo', async () => {
  const { ana, itemId } = await sharedFilm();
  const { items, swarm } = ana.session;
  const { path, infoHash } = items.row(itemId);
  const { folder } = ana.session.sphere().row;
  const linked = async (): Promise<string[]> => (await readdir(folder)).filter((name) => name === 'beach.mp4');
  const before = dirname(path ?? '') === folder ? [] : await linked();
  await items.remove(itemId, 'delete', noSignal);
  expect(await isThere(path)).toBe(true);
  expect(await linked()).toEqual([]);
  expect(swarm.torrents.has(infoHash)).toBe(false);
  await items.restore(itemId, noSignal);
  expect(await linked()).toEqual(before);
  expect(swarm.torrents.has(infoHash)).toBe(true);
});

test('after thirty days a removal cannot be undone any more', async () => {
  const { ben, itemId, world } = await sharedFilm();
  const { items, storage } = ben.session;
  await items.remove(itemId, 'keep', noSignal);
  expect(items.undoUntilMs(items.row(itemId))).toBe(items.row(itemId).removedAtMs + UNDO_MS);
  storage.items.update(itemId, { removedAtMs: items.row(itemId).removedAtMs - UNDO_MS });
  await world.quiet();
  expect(items.undoUntilMs(items.row(itemId))).toBeUndefined();
  await expect(items.restore(itemId, noSignal)).rejects.toMatchObject({ code: 'not-found' });
});

test('what was taken off the list does not count as paused or running', async () => {
  const film = await sharedFilm();
  const { ben, itemId } = film;
  await fetchBegun(film);
  await ben.session.items.setPaused(itemId, true, noSignal);
  expect(ben.session.items.isAllPaused).toBe(true);
  await ben.session.items.remove(itemId, 'keep', noSignal);
  expect(ben.session.items.isAllPaused).toBe(false);
});
