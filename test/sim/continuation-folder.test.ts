import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SphereId } from '../../src/base/id.ts';
import type { Sphere } from '../../src/spheres/sphere.ts';
import type { SharedFilm } from './received-item.ts';
import { arrive, arriveFirstPiece, fetchBegun } from './received-item.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

interface Shared {
  readonly sphereId: SphereId;
  readonly name: string;
}

/** What the watches of all folders begin to share while nobody touches anything for a while. */
async function sharedByItself(world: SimWorld, { session }: SimPerson): Promise<Shared[]> {
  const { folderWatch, list, shares } = session;
  const before = shares.jobs().length;
  for (let looks = 0; looks < 5; looks += 1) {
    for (const sphere of list.all()) await folderWatch.look(sphere, noSignal);
    await world.pass(3_000);
  }
  return shares
    .jobs()
    .slice(before)
    .map(({ sphereId, name }) => ({ sphereId, name }));
}

/** A sphere of Ana's with the others in it, whose folders are watched. */
async function watchedSphere(...names: readonly string[]) {
  const world = new SimWorld();
  const ana = await world.person('ana');
  const others: SimPerson[] = [];
  for (const name of names) others.push(await world.person(name));
  const old = await world.sphere(ana, ...others);
  for (const other of others) expect(await sharedByItself(world, other)).toEqual([]);
  return { world, ana, others, old };
}

/** The first has shared a file, which the other begins to fetch. */
async function fetching(world: SimWorld, sharer: SimPerson, ben: SimPerson, name: string): Promise<SharedFilm> {
  const content = `${name} `.repeat(1000);
  const itemId = await sharer.share(name, content);
  await world.quiet();
  const film = { world, ana: sharer, ben, itemId, content };
  await fetchBegun(film);
  return film;
}

const put = (sphere: Sphere, name: string): Promise<void> => writeFile(join(sphere.row.folder, name), name);
const folderOf = ({ session }: SimPerson, id: SphereId): string => session.list.get(id).row.folder;

test('what a newcomer shares in the sphere that goes on is not shared in the old one by its folder, whole or in part', async () => {
  const { world, others, old } = await watchedSphere('ben');
  const [ben] = others as [SimPerson];
  const sphere = await ben.session.continuation.run(old.id, noSignal);
  const zoe = await world.person('zoe');
  await ben.session.members.invite(sphere.id, zoe.jid, noSignal);
  await world.quiet();
  await world.accept(zoe);
  const { items } = ben.session;
  const whole = await fetching(world, zoe, ben, 'photo.jpg');
  await arrive(whole);
  await expect.poll(() => items.row(whole.itemId).state).toBe('complete');
  const part = await fetching(world, zoe, ben, 'film.mp4');
  await arriveFirstPiece(part);
  await writeFile(items.row(part.itemId).path ?? '', part.content.replaceAll('film', '\0\0\0\0'));
  await items.setPaused(part.itemId, true, noSignal);
  expect(await sharedByItself(world, ben)).toEqual([]);
  expect(ben.session.list.get(old.id).state.items.size).toBe(0);
});

test('after a restart nothing that has moved to the new sphere is shared again, and a new file is shared there alone', async () => {
  const { world, ana, others, old } = await watchedSphere('ben');
  const [ben] = others as [SimPerson];
  const film = await fetching(world, ana, ben, 'beach.mp4');
  const { itemId } = film;
  await arrive(film);
  await expect.poll(() => ben.session.items.row(itemId).state).toBe('complete');
  await ana.stop();
  const sphere = await ben.session.continuation.run(old.id, noSignal);
  await expect.poll(() => ben.session.items.row(itemId).path).toBeNull();
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect(await sharedByItself(world, ben)).toEqual([]);
  await put(ben.session.list.get(sphere.id), 'new.txt');
  expect(await sharedByItself(world, ben)).toEqual([{ sphereId: sphere.id, name: 'new.txt' }]);
});

test('what the folder’s watch had left unshared is not shared by the sphere that goes on', async () => {
  const { world, others, old } = await watchedSphere('ben', 'eva');
  const [ben, eva] = others as [SimPerson, SimPerson];
  const { folderWatch, list } = eva.session;
  await folderWatch.setOn(list.get(old.id), false);
  await put(list.get(old.id), 'private.txt');
  await folderWatch.setOn(list.get(old.id), true);
  const { id } = await ben.session.continuation.run(old.id, noSignal);
  await world.quiet();
  await world.accept(eva);
  expect(folderOf(eva, id)).toBe(folderOf(eva, old.id));
  expect(await sharedByItself(world, eva)).toEqual([]);
  await folderWatch.setOn(list.get(old.id), false);
  expect(folderWatch.isOn(list.get(id))).toBe(false);
  await put(list.get(old.id), 'secret.txt');
  expect(await sharedByItself(world, eva)).toEqual([]);
});

test('a stranger who says that their sphere goes on from ours does not get our folder', async () => {
  const { world, others, old } = await watchedSphere('ben');
  const [ben] = others as [SimPerson];
  await ben.session.folderWatch.setOn(ben.session.list.get(old.id), false);
  await put(ben.session.list.get(old.id), 'private.txt');
  const eve = await world.person('eve');
  const { list, members } = eve.session;
  const trap = await members.create('Summer', noSignal);
  list.publish(trap, 'continues', { sphere: old.id }, { audience: { kind: 'members' } });
  await members.invite(trap.id, ben.jid, noSignal);
  await world.quiet();
  await world.accept(ben);
  expect(ben.session.list.get(trap.id).log.continuation.continues).toBe(old.id);
  expect(folderOf(ben, trap.id)).not.toBe(folderOf(ben, old.id));
  expect(await sharedByItself(world, ben)).toEqual([]);
});

test('a sphere that was left, and whose folder was deleted, keeps no file of another one at the same place from being shared', async () => {
  const { world, ana, old } = await watchedSphere();
  const { session } = ana;
  const { folder } = session.list.get(old.id).row;
  await ana.share('photo.jpg', 'the old one');
  await session.folderWatch.setOn(session.list.get(old.id), false);
  await session.members.leave(old.id, noSignal);
  await rm(folder, { recursive: true });
  const sphere = await session.members.create('Family', noSignal);
  session.storage.spheres.update(sphere.id, { folder });
  await mkdir(folder);
  expect(await sharedByItself(world, ana)).toEqual([]);
  await put(session.list.get(sphere.id), 'photo.jpg');
  expect(await sharedByItself(world, ana)).toEqual([{ sphereId: sphere.id, name: 'photo.jpg' }]);
});

test('of two spheres that both go on from ours the second gets a folder of its own', async () => {
  const { world, others, old } = await watchedSphere('ben', 'eva', 'zoe');
  const [ben, eva, zoe] = others as [SimPerson, SimPerson, SimPerson];
  const first = await ben.session.continuation.run(old.id, noSignal);
  await world.quiet();
  await world.accept(zoe);
  const second = await eva.session.continuation.run(old.id, noSignal);
  await world.quiet();
  await world.accept(zoe);
  expect(folderOf(zoe, first.id)).toBe(folderOf(zoe, old.id));
  expect(folderOf(zoe, second.id)).not.toBe(folderOf(zoe, old.id));
  await put(zoe.session.list.get(old.id), 'one.txt');
  await put(zoe.session.list.get(second.id), 'two.txt');
  expect(await sharedByItself(world, zoe)).toEqual([
    { sphereId: first.id, name: 'one.txt' },
    { sphereId: second.id, name: 'two.txt' },
  ]);
});

test('who comes along before the old sphere says that it goes on fetches and shares nothing twice', async () => {
  const { world, others, old } = await watchedSphere('ben', 'eva');
  const [ben, eva] = others as [SimPerson, SimPerson];
  const film = await fetching(world, ben, eva, 'beach.mp4');
  const { itemId } = film;
  await arrive(film);
  await expect.poll(() => eva.session.items.row(itemId).state).toBe('complete');
  const { path } = eva.session.items.row(itemId);
  const from = ben.session.list.get(old.id);
  const sphere = await ben.session.members.found({ name: 'Summer', history: 'all', from }, noSignal);
  await ben.session.members.invite(sphere.id, eva.jid, noSignal);
  await world.quiet();
  await world.accept(eva);
  const joined = eva.session.list.get(sphere.id);
  expect(joined.row.folder).not.toBe(folderOf(eva, old.id));
  await expect.poll(() => joined.state.items.size).toBe(1);
  const [carried] = eva.session.storage.items.list(sphere.id);
  expect(eva.session.items.row(itemId)).toMatchObject({ state: 'complete', path });
  expect(() => eva.session.items.get(carried?.itemId ?? itemId)).toThrow('here already');
  await ben.session.continuation.finish(sphere, noSignal);
  await world.quiet();
  await expect
    .poll(() => eva.session.storage.items.list(sphere.id))
    .toMatchObject([{ state: 'complete', path, wanted: true }]);
  expect(await sharedByItself(world, eva)).toEqual([]);
  expect(eva.session.swarm.hashed).toEqual([]);
});
