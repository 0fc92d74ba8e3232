import { existsSync } from 'node:fs';
import {
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { SharedFilm } from '../../test/sim/received-item.ts';
import { arrive, arriveFirstPiece, fetchBegun, sharedFilm } from '../../test/sim/received-item.ts';
import type { SimPerson } from '../../test/sim/sim-world.ts';
import { noSignal } from '../../test/sim/sim-world.ts';
import { AppError } from '../base/errors.ts';
import { silentLogger } from '../base/log.ts';
import { systemClock } from '../base/system-clock.ts';
import { systemRandom } from '../base/random.ts';
import { readIdentity } from '../torrent/file-identity.ts';
import { markOf } from '../torrent/tree-copy.ts';
import { FolderMove } from './folder-move.ts';

async function place(under = tmpdir()): Promise<string> {
  const folder = await mkdtemp(join(under, 'spherecast-place-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** As between two disks. */
const otherDisk = (): Promise<void> => Promise.reject(Object.assign(new Error('EXDEV'), { code: 'EXDEV' }));

type Parts = ConstructorParameters<typeof FolderMove>[0];

function mover({ session }: SimPerson, renames?: Parts['rename'], requireSpace?: Parts['requireSpace']) {
  const { storage, list, feed, items, scope } = session;
  const spawn = (name: string, task: (signal: AbortSignal) => Promise<void>): void => scope.spawn(name, task);
  const parts = { storage, list, feed, items, spawn, clock: systemClock, random: systemRandom, log: silentLogger };
  const disk = { ...(renames && { rename: renames }), ...(requireSpace && { requireSpace }) };
  return new FolderMove({ ...parts, ...disk });
}

/** Ben has the whole film, in his folder. */
async function received(): Promise<SharedFilm> {
  const film = await sharedFilm();
  await fetchBegun(film);
  await arrive(film);
  await expect.poll(() => film.ben.session.items.row(film.itemId).state).toBe('complete');
  return film;
}

for (const [disks, renames] of [
  ['on the same disk', undefined],
  ['on another disk', otherDisk],
] as const) {
  test(`a folder that goes to a place ${disks} has everything there, and the swarm goes on from there`, async () => {
    const film = await received();
    const { ben, itemId } = film;
    const { swarm, items } = ben.session;
    const sphere = ben.session.sphere();
    const before = sphere.row.folder;
    await writeFile(join(before, 'own notes.txt'), 'not shared');
    await symlink('/somewhere/original', join(before, 'link'));
    const into = await place(dirname(dirname(before)));
    const { folder, stayed } = await mover(ben, renames).move(sphere, into, noSignal);
    expect([folder, stayed]).toEqual([join(into, basename(before)), 0]);
    expect(sphere.row.folder).toBe(folder);
    expect(existsSync(before)).toBe(false);
    expect((await readdir(folder)).toSorted()).toEqual(['beach.mp4', 'link', 'own notes.txt']);
    expect(await readlink(join(folder, 'link'))).toBe('/somewhere/original');
    expect(await readFile(join(folder, 'beach.mp4'), 'utf8')).toBe(film.content);
    await expect.poll(() => swarm.torrents.has(items.row(itemId).infoHash)).toBe(true);
    const { path, layout } = items.row(itemId);
    expect(path).toBe(join(folder, 'beach.mp4'));
    const identity = await readIdentity(path ?? '');
    expect(layout?.[0]).toMatchObject({ path, root: folder, identity });
    expect(swarm.torrents.get(items.row(itemId).infoHash)?.segments[0]).toMatchObject({ path, identity });
  });
}

test('a download goes on in the new place from what had arrived', async () => {
  const film = await sharedFilm();
  const { ben, itemId } = film;
  await fetchBegun(film);
  await arriveFirstPiece(film);
  const { items, swarm } = ben.session;
  const { infoHash, bitfield } = items.row(itemId);
  const into = await place();
  const { folder } = await mover(ben, otherDisk).move(ben.session.sphere(), into, noSignal);
  await expect.poll(() => swarm.torrents.get(infoHash)?.segments[0]).toMatchObject({ path: join(folder, 'beach.mp4') });
  expect(swarm.torrents.get(infoHash)?.bitfield).toEqual(bitfield);
});

test('a file that its person had changed counts as changed in the new place too', async () => {
  const { ben, itemId } = await received();
  const { items } = ben.session;
  const { path, layout } = items.row(itemId);
  await writeFile(path ?? '', 'my own cut of it');
  await mover(ben, otherDisk).move(ben.session.sphere(), await place(), noSignal);
  const [before, after] = [layout?.[0], items.row(itemId).layout?.[0]];
  expect(after).toMatchObject({ identity: before?.kind === 'file' ? before.identity : null });
});

test('where there is no room it is said before anything is copied, and everything stays where it was', async () => {
  const { ben, itemId } = await received();
  const { items, swarm } = ben.session;
  const sphere = ben.session.sphere();
  const { folder } = sphere.row;
  const into = await place();
  const full = mover(ben, otherDisk, () => Promise.reject(new AppError('disk-full', 'no room')));
  await expect(full.move(sphere, into, noSignal)).rejects.toMatchObject({ code: 'disk-full' });
  expect(await readdir(into)).toEqual([]);
  expect(sphere.row.folder).toBe(folder);
  await expect.poll(() => swarm.torrents.has(items.row(itemId).infoHash)).toBe(true);
  // And it can be moved still.
  expect((await mover(ben).move(sphere, into, noSignal)).stayed).toBe(0);
});

test('a move that its person takes back leaves everything where it was', async () => {
  const { ben } = await received();
  const sphere = ben.session.sphere();
  const { folder } = sphere.row;
  const large = join(folder, 'large.bin');
  await writeFile(large, '');
  await truncate(large, 3_000_000_000);
  const into = await place();
  const moving = mover(ben, otherDisk);
  moving.onProgress.on((id) => {
    if ((moving.progress(id)?.bytesDone ?? 0) > 0) moving.cancel(id);
  });
  await expect(moving.move(sphere, into, noSignal)).rejects.toMatchObject({ code: 'cancelled' });
  expect(await readdir(into)).toEqual([]);
  expect([sphere.row.folder, existsSync(large)]).toEqual([folder, true]);
});

test('a folder goes neither into itself nor into the folder of another sphere', async () => {
  const { ben } = await received();
  const sphere = ben.session.sphere();
  const other = await ben.session.members.create('Other', noSignal);
  await mkdir(join(sphere.row.folder, 'inside'));
  const moving = mover(ben);
  const into = (folder: string) => moving.move(sphere, folder, noSignal);
  await expect(into(join(sphere.row.folder, 'inside'))).rejects.toMatchObject({ code: 'bad-input' });
  await expect(into(other.row.folder)).rejects.toMatchObject({ code: 'not-allowed' });
  await expect(into('/no/such/place')).rejects.toMatchObject({ code: 'not-found' });
  await expect(into(join(sphere.row.folder, '..'))).rejects.toMatchObject({ code: 'conflict' });
});

test('a folder is not moved while something in it is being shared', async () => {
  const { ben } = await received();
  const sphere = ben.session.sphere();
  const { shareJobs } = ben.session.storage;
  const job = { plain: false, link: null, draft: null, pieces: new Uint8Array(), replaces: null, begunAtMs: 1 };
  shareJobs.put({ ...job, id: 'a', sphereId: sphere.id, path: join(sphere.row.folder, 'new.mp4') });
  await expect(mover(ben).move(sphere, await place(), noSignal)).rejects.toMatchObject({ code: 'conflict' });
  shareJobs.remove('a');
});

test('a sparse file stays sparse on the other disk', async () => {
  const { ben } = await received();
  const sphere = ben.session.sphere();
  const name = 'sparse.bin';
  await writeFile(join(sphere.row.folder, name), 'a');
  await truncate(join(sphere.row.folder, name), 200_000_000);
  const { folder } = await mover(ben, otherDisk).move(sphere, await place(), noSignal);
  const { size, blocks } = await lstat(join(folder, name));
  expect(size).toBe(200_000_000);
  expect(blocks * 512).toBeLessThan(4_000_000);
});

test('between two real disks nothing is lost either', async () => {
  const film = await received();
  const { ben } = film;
  // Where there is only one it is renamed.
  const others = ['/dev/shm', tmpdir()].filter((one) => existsSync(one) && !ben.folder.folder.startsWith(one));
  const { folder, stayed } = await mover(ben).move(ben.session.sphere(), await place(others[0]), noSignal);
  expect([stayed, await readFile(join(folder, 'beach.mp4'), 'utf8')]).toEqual([0, film.content]);
});

/** What a killed program leaves: its note, and what it had done by then. */
async function killed(step: 'rename' | 'copy' | 'place' | 'remove') {
  const film = await received();
  const { session } = film.ben;
  const from = session.sphere().row.folder;
  const into = await place(dirname(dirname(from)));
  const [to, stage] = [join(into, 'Summer'), join(into, '.spherecast-0011223344556677')];
  const marks = [markOf(await lstat(join(from, 'beach.mp4'), { bigint: true }))];
  const way = { names: [from], to };
  const note = {
    rename: { step, ...way },
    copy: { step, stage },
    place: { step, ...way, stage, marks },
    remove: { step, folder: from, marks },
  }[step];
  session.storage.settings.set('folder-move', note);
  const settle = async () => {
    await session.folderMove.settle();
    await expect.poll(() => session.storage.settings.get('folder-move', String)).toBeUndefined();
    const { path, layout } = session.items.row(film.itemId);
    const [part] = layout ?? [];
    const here = [await readFile(path ?? '', 'utf8'), await readIdentity(path ?? '')];
    expect(here).toEqual([film.content, part?.kind === 'file' ? part.identity : null]);
    return { folder: session.sphere().row.folder, left: existsSync(from), there: await readdir(into) };
  };
  return { session, from, to, stage, settle };
}

test('a program killed before it renamed the folder has everything in the old place', async () => {
  const { from, settle } = await killed('rename');
  expect(await settle()).toEqual({ folder: from, left: true, there: [] });
});

test('a program killed right after it renamed the folder has everything in the new place', async () => {
  const { from, to, settle } = await killed('rename');
  await rename(from, to);
  expect(await settle()).toEqual({ folder: to, left: false, there: ['Summer'] });
});

test('a program killed while it copied has everything in the old place, and the copy is taken away', async () => {
  const { from, stage, settle } = await killed('copy');
  await mkdir(stage);
  await writeFile(join(stage, 'beach.mp4'), 'half of');
  expect(await settle()).toEqual({ folder: from, left: true, there: [] });
});

test('a program killed before the copy got its name has everything in the old place', async () => {
  const { from, stage, settle } = await killed('place');
  await cp(from, stage, { recursive: true });
  expect(await settle()).toEqual({ folder: from, left: true, there: [] });
});

test('a program killed while it took a copy back takes no folder of another for the new place', async () => {
  const { session, from, to, stage, settle } = await killed('place');
  await cp(from, stage, { recursive: true });
  await mkdir(to);
  await session.folderMove.settle();
  expect(session.storage.settings.get('folder-move', (note) => note)).toEqual({ step: 'copy', stage });
  expect(await settle()).toEqual({ folder: from, left: true, there: ['Summer'] });
});

test('a program killed when the copy had its name goes on in the new place, and the old one is emptied', async () => {
  const { from, to, settle } = await killed('place');
  await cp(from, to, { recursive: true });
  expect(await settle()).toEqual({ folder: to, left: false, there: ['Summer'] });
});

test('a program killed while it emptied the old place keeps there what came or changed since', async () => {
  const { from, to, settle } = await killed('remove');
  await cp(from, to, { recursive: true });
  const own = join(from, 'came since.txt');
  await writeFile(own, 'mine');
  await settle().catch(() => undefined);
  expect(await readdir(from)).toEqual(['came since.txt']);
});
