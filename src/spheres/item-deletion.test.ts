import { access, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { arrive, fetchBegun, sharedFilm } from '../../test/sim/received-item.ts';
import type { SimPerson } from '../../test/sim/sim-world.ts';
import type { ItemId } from '../base/id.ts';
import { eraseDeleted, ItemDeletion } from './item-deletion.ts';
import { UNDO_MS } from './item-removal.ts';

const deletion = ({ session }: SimPerson): ItemDeletion => new ItemDeletion(session);
const isListed = ({ session }: SimPerson, itemId: ItemId): boolean =>
  session.items.undoUntilMs(session.items.row(itemId)) === null;

test('what its sharer deletes leaves the list and the swarm of everybody, and nobody’s disk', async () => {
  const film = await sharedFilm();
  const { ana, ben, itemId, world } = film;
  await fetchBegun(film);
  await arrive(film);
  const { path, infoHash } = ben.session.items.row(itemId);
  deletion(ana).delete(ana.session.items.row(itemId));
  await world.quiet();
  for (const person of [ana, ben]) {
    expect(isListed(person, itemId)).toBe(false);
    expect(person.session.swarm.torrents.has(infoHash)).toBe(false);
  }
  expect(await readFile(path ?? '', 'utf8')).toBe(film.content);
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect(ben.session.swarm.torrents.has(infoHash)).toBe(false);
  expect(() => ben.session.items.get(itemId)).toThrow('taken off the list');
});

test('what is put back is on every list and served by everybody as before', async () => {
  const film = await sharedFilm();
  const { ana, ben, itemId, world } = film;
  await fetchBegun(film);
  await arrive(film);
  const { infoHash } = ben.session.items.row(itemId);
  deletion(ana).delete(ana.session.items.row(itemId));
  await world.quiet();
  deletion(ana).undo(ana.session.items.row(itemId));
  await world.quiet();
  for (const person of [ana, ben]) {
    expect(isListed(person, itemId)).toBe(true);
    expect(person.session.swarm.torrents.has(infoHash)).toBe(true);
  }
});

test('a member deletes nothing that another one shared', async () => {
  const { ana, ben, itemId, world } = await sharedFilm();
  expect(() => deletion(ben).delete(ben.session.items.row(itemId))).toThrow('only who shared it');
  ben.session.list.publish(
    ben.session.sphere(),
    'retract',
    { target: itemId as string as never, isUndone: false },
    { audience: { kind: 'certified' } },
  );
  await world.quiet();
  expect([isListed(ana, itemId), isListed(ben, itemId)]).toEqual([true, true]);
});

test('what the owner deleted its sharer does not put back', async () => {
  const { ana, ben, world } = await sharedFilm();
  const itemId = await ben.share('mine.mp4');
  await world.quiet();
  deletion(ana).delete(ana.session.items.row(itemId));
  await world.quiet();
  expect(isListed(ben, itemId)).toBe(false);
  expect(() => deletion(ben).undo(ben.session.items.row(itemId))).toThrow('only owner and admins');
  deletion(ana).undo(ana.session.items.row(itemId));
  await world.quiet();
  expect(isListed(ben, itemId)).toBe(true);
});

test('a deletion that comes before its item holds', async () => {
  const { ana, ben, world } = await sharedFilm();
  await ben.stop();
  const itemId = await ana.share('late.mp4');
  deletion(ana).delete(ana.session.items.row(itemId));
  await world.quiet();
  await ben.start();
  await world.quiet();
  expect(isListed(ben, itemId)).toBe(false);
});

test('after thirty days key, preview and name are forgotten, a whole copy stays and what is left of a part goes', async () => {
  const film = await sharedFilm();
  const { ana, ben, itemId, world } = film;
  await fetchBegun(film);
  const { path } = ben.session.items.row(itemId);
  const original = ana.session.items.row(itemId).path;
  deletion(ana).delete(ana.session.items.row(itemId));
  await world.quiet();
  for (const { session } of [ana, ben]) {
    const { deletedAtMs } = session.items.row(itemId);
    session.storage.items.update(itemId, { deletedAtMs: deletedAtMs - UNDO_MS });
  }
  await world.pass(7_200_000);
  for (const { session } of [ana, ben]) {
    expect(session.storage.attachments.list(itemId as string as never)).toEqual([]);
    expect(session.storage.messages.get(itemId as string as never)?.text).toBe('');
    expect(session.items.undoUntilMs(session.items.row(itemId))).toBeUndefined();
    expect(eraseDeleted({ storage: session.storage, clock: world.clock }, () => Infinity)).toEqual([]);
  }
  await expect(access(path ?? '')).rejects.toThrow('ENOENT');
  expect(await readFile(original ?? '', 'utf8')).toBe(film.content);
  expect(() => deletion(ana).undo(ana.session.items.row(itemId))).toThrow('too long ago');
});

test('whether a sphere is up to date is asked once for all that was deleted, and not for what was erased long ago', async () => {
  const film = await sharedFilm();
  const { ana, itemId, world } = film;
  const { session } = ana;
  const items = [itemId, await ana.share('second.mp4'), await ana.share('third.mp4')];
  for (const id of items) deletion(ana).delete(session.items.row(id));
  await world.quiet();
  for (const id of items) session.storage.items.update(id, { deletedAtMs: world.clock.now() - UNDO_MS });
  const asked: string[] = [];
  const erase = (): ItemId[] =>
    eraseDeleted({ storage: session.storage, clock: world.clock }, (id) => (asked.push(id) > 0 ? Infinity : 0));
  expect(erase()).toHaveLength(3);
  expect(erase()).toEqual([]);
  expect(asked).toEqual([session.sphere().id]);
});

test('what comes of a deleted item is not taken off the person’s own list when the program dies meanwhile', async () => {
  const film = await sharedFilm();
  const { ana, ben, itemId, world } = film;
  await fetchBegun(film);
  deletion(ana).delete(ana.session.items.row(itemId));
  await world.quiet();
  const { storage, feed, items } = ben.session;
  storage.items.update(itemId, { deletedAtMs: items.row(itemId).deletedAtMs - UNDO_MS });
  let isDead = false;
  feed.remove = async () => {
    isDead = true;
    await Promise.reject(new Error('the program died'));
  };
  await world.pass(7_200_000);
  expect([isDead, items.row(itemId).removedAtMs]).toEqual([true, 0]);
});
