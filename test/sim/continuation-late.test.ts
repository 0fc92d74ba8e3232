import { expect, test } from 'vitest';
import type { EventId, ItemId, SphereId } from '../../src/base/id.ts';
import { ItemDeletion } from '../../src/spheres/item-deletion.ts';
import type { Sphere } from '../../src/spheres/sphere.ts';
import { itemBody } from '../fixtures/protocol/sphere-world.ts';
import type { SharedFilm } from './received-item.ts';
import { arrive, fetchBegun } from './received-item.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const MINUTES = 300_000;
const namesIn = ({ session }: SimPerson, id: SphereId): string[] =>
  [...(session.list.find(id)?.state.items.values() ?? [])].map(({ event }) => event.body.name).toSorted();
/** The only item of a sphere with this name. */
const named = ({ session }: SimPerson, id: SphereId, name: string): ItemId => {
  const items = [...session.list.get(id).state.items.values()].filter(({ event }) => event.body.name === name);
  expect(items).toHaveLength(1);
  return items[0]?.id ?? ('' as ItemId);
};

interface People {
  readonly world: SimWorld;
  readonly ana: SimPerson;
  readonly ben: SimPerson;
  readonly eva: SimPerson;
}

/** Ana's sphere goes on without her in one of Ben's, of which Eva, who is away, has heard nothing yet. */
async function parted(before: (people: People) => Promise<unknown> = () => Promise.resolve()) {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const old = await world.sphere(ana, ben, eva);
  await ben.share('beach.mp4');
  await world.quiet();
  await before({ world, ana, ben, eva });
  await world.quiet();
  await ana.stop();
  eva.session.link.goOffline();
  const next = await ben.session.continuation.run(old.id, noSignal);
  await world.quiet();
  return { world, ben, eva, old, next };
}

test('what somebody who was away shared in the old sphere is listed in the new one when they join it, once, and everybody gets it', async () => {
  const { world, ben, eva, old, next } = await parted();
  const content = 'song '.repeat(1000);
  const shared = await eva.share('song.mp3', content);
  const { path, infoHash } = eva.session.items.row(shared);
  await eva.session.goOnline();
  await world.until(() => namesIn(ben, old.id).includes('song.mp3'));
  await world.accept(eva);
  await world.until(() => namesIn(ben, next.id).length > 1);
  await world.pass(MINUTES);
  for (const person of [ben, eva]) expect(namesIn(person, next.id)).toEqual(['beach.mp4', 'song.mp3']);
  await expect
    .poll(() => eva.session.swarm.torrents.get(infoHash))
    .toMatchObject({ sphereId: next.id, alsoIn: [old.id] });
  expect(eva.session.items.row(named(eva, next.id, 'song.mp3'))).toMatchObject({ state: 'sharing', path });
  const film: SharedFilm = { world, ana: eva, ben, itemId: named(ben, next.id, 'song.mp3'), content };
  await fetchBegun(film);
  await arrive(film);
  await expect.poll(() => ben.session.items.row(film.itemId).state).toBe('complete');
  expect(ben.session.swarm.torrents.get(infoHash)).toMatchObject({ sphereId: next.id, alsoIn: [old.id] });
  expect(eva.session.swarm.hashed).toHaveLength(1);
});

test('what is shared in the old sphere after that, and after a restart, comes along as well', async () => {
  const { world, ben, eva, old, next } = await parted();
  await eva.session.goOnline();
  await world.quiet();
  await world.accept(eva);
  await eva.share('song.mp3');
  await world.until(() => namesIn(ben, next.id).includes('song.mp3'));
  eva.session.link.goOffline();
  await eva.share('photo.jpg');
  await eva.stop();
  await eva.start();
  await world.until(() => namesIn(ben, next.id).includes('photo.jpg'));
  await world.pass(MINUTES);
  for (const person of [ben, eva]) expect(namesIn(person, next.id)).toEqual(['beach.mp4', 'photo.jpg', 'song.mp3']);
  expect(namesIn(ben, old.id)).toEqual(['beach.mp4', 'photo.jpg', 'song.mp3']);
});

test('what was deleted in either sphere, or taken off the list of who shared it, does not come back', async () => {
  const { world, ben, eva, next } = await parted(({ eva: sharer }) => sharer.share('deleted-there.mp3'));
  const { list, items, storage } = ben.session;
  const there = storage.items.get(named(ben, next.id, 'deleted-there.mp3'));
  if (there !== undefined) new ItemDeletion({ list, items }).delete(there);
  const removed = await eva.share('removed.mp3');
  await eva.session.items.remove(removed, 'keep', noSignal);
  const late = await eva.share('deleted-late.mp3');
  new ItemDeletion(eva.session).delete(eva.session.items.row(late));
  await eva.share('song.mp3');
  await eva.session.goOnline();
  await world.quiet();
  await world.accept(eva);
  await world.until(() => namesIn(ben, next.id).includes('song.mp3'));
  await world.pass(MINUTES);
  const expected = ['beach.mp4', 'deleted-there.mp3', 'song.mp3'];
  for (const person of [ben, eva]) expect(namesIn(person, next.id)).toEqual(expected);
  expect(eva.session.items.row(named(eva, next.id, 'deleted-there.mp3')).deletedAtMs).toBeGreaterThan(0);
});

test('of two computers each lists what was shared by it, once', async () => {
  let laptop: SimPerson | undefined;
  const { world, ben, eva, old, next } = await parted(async ({ world: around, ben: other, eva: person }) => {
    laptop = await around.another(person);
    await around.until(() => namesIn(laptop ?? person, other.session.sphere().id).length > 0);
    laptop.session.link.goOffline();
  });
  if (laptop === undefined) throw new Error('there is one computer only');
  await eva.share('song.mp3');
  await laptop.share('photo.jpg');
  for (const computer of [eva, laptop]) await computer.session.goOnline();
  await world.quiet();
  await world.accept(eva);
  const all = ['beach.mp4', 'photo.jpg', 'song.mp3'];
  const computers = [ben, eva, laptop];
  await world.until(() => computers.every((one) => namesIn(one, next.id).length >= all.length));
  await world.pass(MINUTES);
  for (const computer of computers) {
    expect(namesIn(computer, next.id)).toEqual(all);
    expect(namesIn(computer, old.id)).toEqual(all);
  }
});

test('what a computer shared that its person has ended since is listed by another one of theirs', async () => {
  let laptop: SimPerson | undefined;
  const { world, ben, eva, next } = await parted(async ({ world: around, ben: other, eva: person }) => {
    laptop = await around.another(person);
    await around.until(() => namesIn(laptop ?? person, other.session.sphere().id).length > 0);
    laptop.session.link.goOffline();
  });
  if (laptop === undefined) throw new Error('there is one computer only');
  await eva.share('song.mp3');
  await eva.session.goOnline();
  await world.quiet();
  const lost = eva.session.identity.device.id;
  await eva.stop();
  await laptop.session.goOnline();
  await world.quiet();
  await world.accept(laptop);
  await world.pass(MINUTES);
  expect(namesIn(ben, next.id)).toEqual(['beach.mp4']);
  laptop.session.devices.end(lost);
  await world.until(() => namesIn(ben, next.id).includes('song.mp3'));
  await world.pass(MINUTES);
  expect(namesIn(ben, next.id)).toEqual(['beach.mp4', 'song.mp3']);
});

test('who only looks in the new sphere lists nothing there until they may', async () => {
  const { world, ben, eva, next } = await parted();
  await eva.share('song.mp3');
  await ben.session.members.inviteAs(next.id, eva.jid, 'viewer', noSignal);
  await world.quiet();
  await eva.session.goOnline();
  await world.quiet();
  await world.accept(eva);
  await world.pass(MINUTES);
  expect(eva.session.list.get(next.id).role).toBe('viewer');
  expect(
    eva.session.list
      .get(next.id)
      .log.events()
      .filter(({ type }) => type === 'item'),
  ).toHaveLength(1);
  ben.session.members.setRole(next.id, eva.jid, 'member');
  await world.until(() => namesIn(ben, next.id).includes('song.mp3'));
});

test('what others share in the old sphere nobody lists for them, and who is not in the new one lists nothing there', async () => {
  let hal: SimPerson | undefined;
  const { world, ben, eva, old, next } = await parted(async ({ world: around, ana }) => {
    hal = await around.person('hal');
    await around.bringIn(ana, hal);
  });
  await hal?.share('trap.mp3');
  await eva.session.goOnline();
  await world.quiet();
  await world.accept(eva);
  await eva.share('song.mp3');
  await world.until(() => namesIn(ben, next.id).includes('song.mp3'));
  await world.pass(MINUTES);
  for (const person of [ben, eva]) {
    expect(namesIn(person, old.id)).toContain('trap.mp3');
    expect(namesIn(person, next.id)).toEqual(['beach.mp4', 'song.mp3']);
  }
});

test('nobody gets by a sphere of their own what was kept from them in the old one', async () => {
  const world = new SimWorld();
  const [ana, eva, hal] = [await world.person('ana'), await world.person('eva'), await world.person('hal')];
  const old = await ana.session.members.found({ name: 'Summer', history: 'from-join' }, noSignal);
  await world.bringIn(ana, eva);
  await eva.share('before-hal.mp3');
  await world.quiet();
  await world.bringIn(ana, hal);
  await eva.share('song.mp3');
  await world.quiet();
  const trap = await hal.session.continuation.run(old.id, noSignal);
  await world.quiet();
  await world.accept(eva);
  await eva.share('late.mp3');
  await world.until(() => namesIn(hal, trap.id).includes('late.mp3'));
  await ana.session.members.remove(old.id, hal.jid, noSignal);
  await world.pass(MINUTES);
  await eva.share('without-hal.mp3');
  await world.pass(MINUTES);
  expect(namesIn(ana, old.id)).toContain('without-hal.mp3');
  for (const person of [hal, eva]) expect(namesIn(person, trap.id)).toEqual(['late.mp3', 'song.mp3']);
});

test('nothing is listed in a sphere that says to go on from ours, of which ours knows nothing', async () => {
  const world = new SimWorld();
  const [ana, eva, hal] = [await world.person('ana'), await world.person('eva'), await world.person('hal')];
  const old = await world.sphere(ana, eva, hal);
  await eva.share('song.mp3');
  await world.quiet();
  const trap = await hal.session.members.create('Summer', noSignal);
  hal.session.list.publish(trap, 'continues', { sphere: old.id }, { audience: { kind: 'members' } });
  await hal.session.members.invite(trap.id, eva.jid, noSignal);
  await world.quiet();
  await world.accept(eva);
  await world.pass(MINUTES);
  expect(eva.session.list.get(trap.id).log.continuation.continues).toBe(old.id);
  expect(namesIn(hal, trap.id)).toEqual([]);
});

test('what we have no key of any more is not tried without end', async () => {
  const { world, eva, next } = await parted();
  const id = await eva.share('song.mp3');
  const forget = ({ session }: SimPerson) => session.storage.attachments.remove(id as string as EventId, 'media-key');
  forget(eva);
  await eva.session.goOnline();
  await world.quiet();
  // Nobody else may have it either, or it would be asked for.
  for (const person of world.people.filter(({ isRunning }) => isRunning)) forget(person);
  await world.accept(eva);
  await expect.poll(() => namesIn(eva, next.id)).toContain('beach.mp4');
  await world.pass(MINUTES);
  let changes = 0;
  eva.session.list.onChange.on(() => (changes += 1));
  await world.pass(MINUTES);
  expect(changes).toBeLessThan(10);
  expect(namesIn(eva, next.id)).toEqual(['beach.mp4']);
});

/** Eva has joined Ben's new sphere before the old one says that it goes on there, and fetches a film there. */
async function cameEarly() {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const old = await world.sphere(ana, ben, eva);
  const content = 'film '.repeat(1000);
  const shared = await ben.share('beach.mp4', content);
  await world.quiet();
  const from = ben.session.list.get(old.id);
  const next = await ben.session.members.found({ name: 'Summer', history: 'all', from }, noSignal);
  await ben.session.members.invite(next.id, eva.jid, noSignal);
  await world.quiet();
  await world.accept(eva);
  await expect.poll(() => namesIn(eva, next.id)).toEqual(['beach.mp4']);
  const itemId = named(eva, next.id, 'beach.mp4');
  const film = { world, ana: ben, ben: eva, itemId, content };
  await fetchBegun(film);
  const goOn = async (): Promise<void> => {
    await ben.session.continuation.finish(next, noSignal);
    await world.quiet();
  };
  const torrent = () => eva.session.swarm.torrents.get(eva.session.items.row(itemId).infoHash);
  return { old, next, ben, eva, shared, film, goOn, torrent };
}

test('who came along before the old sphere said so serves those left behind as soon as it does', async () => {
  const { old, next, ben, eva, shared, film, goOn, torrent } = await cameEarly();
  await arrive(film, film.content, 8 * (ben.session.items.row(shared).bitfield?.length ?? 0));
  await expect.poll(() => eva.session.items.row(film.itemId).state).toBe('complete');
  await expect.poll(torrent).toMatchObject({ sphereId: next.id, alsoIn: [] });
  await goOn();
  await expect.poll(torrent).toMatchObject({ sphereId: next.id, alsoIn: [old.id] });
  expect(eva.session.items.row(film.itemId)).toMatchObject({ wanted: true, state: 'complete' });
});

test('what is still fetched when the old sphere says that it goes on is not begun anew for that', async () => {
  const { eva, film, goOn, torrent } = await cameEarly();
  await expect.poll(torrent).toBeDefined();
  const before = torrent();
  await goOn();
  expect(torrent()).toBe(before);
  expect(eva.session.items.row(film.itemId)).toMatchObject({ wanted: true, state: 'downloading' });
});

test('what comes into a sphere of many items that goes on from another one has those that were there left in peace', async () => {
  const MANY = 80;
  const listIn = ({ session }: SimPerson, sphere: Sphere, name: string): void => {
    const body = { ...itemBody(name, ''), plain: true, keyCheck: null, epoch: null };
    session.list.publish(sphere, 'item', body, { audience: { kind: 'members' }, line: name });
  };
  const { world, ben, next } = await parted(async ({ ben: sharer }) => {
    const sphere = sharer.session.sphere();
    sharer.session.list.together(sphere, () => {
      for (let number = 0; number < MANY; number += 1) listIn(sharer, sphere, `photo ${number}.jpg`);
    });
  });
  await world.pass(MINUTES);
  expect(next.state.items.size).toBeGreaterThan(MANY);
  const { items } = ben.session.storage;
  const get = items.get.bind(items);
  let reads = 0;
  items.get = (id) => {
    reads += 1;
    return get(id);
  };
  listIn(ben, next, 'one more.jpg');
  await world.quiet();
  expect(reads).toBeGreaterThan(0);
  expect(reads).toBeLessThan(MANY / 2);
});
