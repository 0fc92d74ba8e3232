import { access, mkdir, readFile, rename, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ItemId } from '../../src/base/id.ts';
import { silentLogger } from '../../src/base/log.ts';
import type { ItemView } from '../../src/contract/views.ts';
import { viewItem } from '../../src/engine/item-view.ts';
import { FolderWatch } from '../../src/spheres/folder-watch.ts';
import { bitfieldOf } from '../fixtures/bitfield-of.ts';
import { VirtualClock } from '../fixtures/virtual-clock.ts';
import type { SharedFilm } from './received-item.ts';
import { arrive, fetchBegun, sharedFilm } from './received-item.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const pathOf = ({ session }: SimPerson, itemId: ItemId): string => session.items.row(itemId).path ?? '';

const listed = ({ session }: SimPerson): ItemId[] =>
  [...session.sphere().state.items.values()].flatMap(({ id, replacedBy }) => (replacedBy === null ? [id] : []));

const viewOf = ({ session }: SimPerson, itemId: ItemId): ItemView | undefined =>
  viewItem(session, session.sphere(), session.items.row(itemId));

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Ben has the film of Ana. */
async function receivedFilm(): Promise<SharedFilm> {
  const film = await sharedFilm();
  await watchedAnew(film.ben);
  await fetchBegun(film);
  await arrive(film);
  await expect.poll(() => film.ben.session.items.row(film.itemId).state).toBe('complete');
  return film;
}

/** The person writes over the file, and the swarm sees it. */
async function edit(person: SimPerson, itemId: ItemId, content: string): Promise<string> {
  const path = pathOf(person, itemId);
  await writeFile(path, content);
  person.session.swarm.say(person.session.items.row(itemId).infoHash, 'changed');
  await expect.poll(() => person.session.items.row(itemId).state).toBe('changed');
  return path;
}

/** Shares the file as it is now; the new item. */
async function shareAgain({ world }: SharedFilm, person: SimPerson, itemId: ItemId): Promise<ItemId> {
  const { shares } = person.session;
  const { id: sphereId } = person.session.sphere();
  const [version] = await shares.share({ sphereId, paths: [pathOf(person, itemId)], plain: false }, noSignal);
  await world.quiet();
  return version ?? itemId;
}

/** What a program that was just started shares from the folder by itself. */
async function watchedAnew({ session }: SimPerson): Promise<string[]> {
  const clock = new VirtualClock(0);
  const shared: string[] = [];
  const share = ({ paths }: { readonly paths: readonly string[] }) => {
    shared.push(...paths);
    return Promise.resolve([]);
  };
  const spawn = (_: string, task: (signal: AbortSignal) => Promise<void>) => void task(noSignal);
  const watch = new FolderWatch({ ...session, shares: { share }, spawn, clock, log: silentLogger });
  for (let look = 0; look < 10; look += 1) {
    await clock.advance(3_000);
    await watch.look(session.sphere(), noSignal);
  }
  return shared;
}

test('a file that its sharer edits and shares again takes the place of the old one, whose copies stay on the disks of others', async () => {
  const film = await receivedFilm();
  const { ana, ben, itemId, content } = film;
  const copy = pathOf(ben, itemId);
  await edit(ana, itemId, 'another cut');
  const version = await shareAgain(film, ana, itemId);
  expect([listed(ana), listed(ben)]).toEqual([[version], [version]]);
  const { event } = ben.session.sphere().state.items.get(version) ?? {};
  expect(event?.body).toMatchObject({ replaces: itemId, bytes: 'another cut'.length });
  await expect.poll(() => ben.session.swarm.torrents.has(event?.body.infoHash as never)).toBe(false);
  await expect.poll(() => ben.session.items.row(itemId).wanted).toBe(false);
  expect(ben.session.items.row(version)).toMatchObject({ state: 'listed', wanted: false, path: null });
  expect(await readFile(copy, 'utf8')).toBe(content);
  expect(viewOf(ben, version)).toMatchObject({ state: 'listed', earlierPath: copy, basedOn: null });
  expect(viewOf(ana, version)).toMatchObject({ state: 'sharing', earlierPath: null });
  expect(await watchedAnew(ben)).toEqual([]);
  expect(ana.session.items.row(version)).toMatchObject({ state: 'sharing', wanted: true });
  expect(ana.session.items.row(itemId)).toMatchObject({ wanted: false, path: null });
  expect(ben.session.lines().filter(({ kind }) => kind === 'item')).toMatchObject([{ id: itemId, itemId: version }]);
  ben.session.items.get(version);
  await ben.session.items.placed(version, noSignal);
  expect(pathOf(ben, version)).not.toBe(copy);
  expect(await readFile(copy, 'utf8')).toBe(content);
});

test('a new version of the same length, date and edges is not taken for the old one', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  const content = 'film '.repeat(100_000);
  const itemId = await ana.share('beach.mp4', content);
  await world.quiet();
  const film = { world, ana, ben, itemId, content };
  const seconds = (await stat(pathOf(ana, itemId))).mtimeMs / 1000;
  const middle = content.length / 2;
  const path = await edit(ana, itemId, `${content.slice(0, middle)}X${content.slice(middle + 1)}`);
  await utimes(path, seconds, seconds);
  const version = await shareAgain(film, ana, itemId);
  const [before, after] = [itemId, version].map((id) => ben.session.sphere().state.items.get(id)?.event.body);
  expect(after).toMatchObject({ replaces: itemId, bytes: before?.bytes });
  expect(after?.manifest.sha256).not.toBe(before?.manifest.sha256);
});

test('whoever was fetching what gets another version fetches that one, and keeps no half of the old one', async () => {
  const film = await sharedFilm();
  const { ana, ben, itemId } = film;
  await fetchBegun(film);
  const half = pathOf(ben, itemId);
  await writeFile(half, 'half');
  await edit(ana, itemId, 'another cut');
  const version = await shareAgain(film, ana, itemId);
  await expect.poll(() => ben.session.items.row(version)).toMatchObject({ wanted: true, state: 'downloading' });
  expect(ben.session.items.row(itemId)).toMatchObject({ wanted: false, path: null, layout: null });
  expect(await isThere(half)).toBe(pathOf(ben, version) === half);
});

test('whole files of a folder that was still coming stay on the disk when a new version takes its place', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  const source = join(ana.folder.folder, 'album');
  await mkdir(source);
  for (const name of ['a.jpg', 'b.jpg']) await writeFile(join(source, name), name.repeat(60_000));
  const input = { sphereId: ana.session.sphere().id, paths: [source], plain: false };
  const [itemId = '' as ItemId] = await ana.session.shares.share(input, noSignal);
  await world.quiet();
  await fetchBegun({ world, ben, itemId });
  const { infoHash, layout, path } = ben.session.items.row(itemId);
  const [whole, half] = (layout ?? []).filter((part) => part.kind === 'file');
  for (const file of [whole, half]) await writeFile(file?.path ?? '', 'a.jpg'.repeat(60_000));
  const pieceLength = ana.session.sphere().state.items.get(itemId)?.event.body.pieceLength ?? 1;
  const last = Math.ceil((whole?.length ?? 0) / pieceLength) - 1;
  const bitfield = bitfieldOf((ana.session.items.row(itemId).bitfield?.length ?? 0) * 8, 0, last);
  ben.session.swarm.emit({ kind: 'have', infoHash, bitfield, bytesHave: 300_000, identities: null });
  await writeFile(join(source, 'b.jpg'), 'turned');
  ana.session.swarm.say(infoHash, 'changed');
  const [version = itemId] = await ana.session.shares.share(input, noSignal);
  await world.quiet();
  await expect.poll(() => ben.session.items.row(version)).toMatchObject({ wanted: true, state: 'downloading' });
  expect(ben.session.items.row(itemId)).toMatchObject({ wanted: false, path, state: 'listed' });
  expect(await Promise.all([isThere(whole?.path ?? ''), isThere(half?.path ?? '')])).toEqual([true, false]);
  expect(await watchedAnew(ben)).toEqual([]);
});

test('a version of the same length, date and edges as the first is not taken for that one', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  const content = 'film '.repeat(100_000);
  const first = await ana.share('beach.mp4', content);
  const { mtimeMs } = await stat(pathOf(ana, first));
  const versions = [first];
  for (const middle of ['X', 'Y', 'Z']) {
    const latest = versions.at(-1) ?? first;
    const half = content.length / 2;
    const path = await edit(ana, latest, `${content.slice(0, half)}${middle}${content.slice(half + 1)}`);
    await utimes(path, mtimeMs / 1000, mtimeMs / 1000);
    versions.push(await shareAgain({ world, ana, ben, itemId: first, content }, ana, latest));
  }
  const { items } = ben.session.sphere().state;
  expect(new Set(versions.map((id) => items.get(id)?.event.body.manifest.sha256)).size).toBe(versions.length);
});

test('a received file that is edited is shared beside the original, as made from it', async () => {
  const film = await receivedFilm();
  const { ana, ben, itemId } = film;
  const path = await edit(ben, itemId, 'my own cut');
  const version = await shareAgain(film, ben, itemId);
  expect(listed(ana).toSorted()).toEqual([itemId, version].toSorted());
  const { event } = ana.session.sphere().state.items.get(version) ?? {};
  expect(event?.body).toMatchObject({ replaces: null, basedOn: itemId });
  expect(viewOf(ana, version)).toMatchObject({
    basedOn: { name: 'beach.mp4', fromName: expect.any(String) },
    earlierPath: null,
  });
  expect(ben.session.items.row(version)).toMatchObject({ state: 'sharing', path });
  expect(ben.session.items.row(itemId)).toMatchObject({ state: 'listed', path: null, wanted: false });
  expect(ben.session.swarm.torrents.has(ben.session.items.row(itemId).infoHash)).toBe(false);
  expect(ana.session.items.row(itemId)).toMatchObject({ state: 'sharing' });
});

test('a received file that was edited and is kept to oneself is not shared by itself either', async () => {
  const film = await receivedFilm();
  const { ben, itemId } = film;
  const path = await edit(ben, itemId, 'my own cut');
  await ben.session.items.edits.keep(itemId);
  expect(ben.session.items.row(itemId)).toMatchObject({ state: 'listed', path: null, wanted: false });
  expect(await readFile(path, 'utf8')).toBe('my own cut');
  expect(await watchedAnew(ben)).toEqual([]);
  await expect(ben.session.items.edits.keep(itemId)).rejects.toMatchObject({ code: 'conflict' });
});

test('an edited file that is kept to oneself in a folder behind a link is not shared by itself either', async () => {
  const film = await sharedFilm();
  const { folder } = film.ben.session.sphere().row;
  await mkdir(folder, { recursive: true });
  await rename(folder, `${folder} on another disk`);
  await symlink(`${folder} on another disk`, folder);
  await watchedAnew(film.ben);
  await fetchBegun(film);
  await arrive(film);
  await expect.poll(() => film.ben.session.items.row(film.itemId).state).toBe('complete');
  await edit(film.ben, film.itemId, 'my own cut');
  await film.ben.session.items.edits.keep(film.itemId);
  expect(await watchedAnew(film.ben)).toEqual([]);
});

test('an edited file beside which the original was fetched again is not shared by itself', async () => {
  const film = await receivedFilm();
  const { ben, itemId } = film;
  const path = await edit(ben, itemId, 'my own cut');
  await fetchBegun(film);
  expect(pathOf(ben, itemId)).not.toBe(path);
  expect(await readFile(path, 'utf8')).toBe('my own cut');
  expect(await watchedAnew(ben)).toEqual([]);
});

test('an edited file whose item is removed from the list is not shared by itself', async () => {
  const film = await receivedFilm();
  const { ben, itemId } = film;
  const path = await edit(ben, itemId, 'my own cut');
  expect(await ben.session.items.remove(itemId, 'delete', noSignal)).toBe(1);
  expect(await readFile(path, 'utf8')).toBe('my own cut');
  expect(await watchedAnew(ben)).toEqual([]);
});
