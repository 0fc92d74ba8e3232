import { expect, test } from 'vitest';
import { arrive, fetchBegun } from './received-item.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

/** What somebody has of the items of each sphere, the oldest sphere first. */
const had = ({ session }: SimPerson) =>
  session.list.all().map(({ id }) => session.storage.items.list(id).map(({ state, path }) => ({ state, path })));

test('with the owner gone and no admin, a new sphere holds every item, and nobody hashes or fetches anything again', async () => {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const old = await world.sphere(ana, ben, eva);
  const content = 'film '.repeat(1000);
  const itemId = await ana.share('beach.mp4', content);
  const listed = await eva.share('song.mp3');
  await world.quiet();
  const film = { world, ana, ben, itemId, content };
  await fetchBegun(film);
  await arrive(film);
  await expect.poll(() => ben.session.items.row(itemId).state).toBe('complete');
  const { path } = ben.session.items.row(itemId);
  const song = eva.session.items.row(listed).path;
  await ana.stop();
  const hashed = [ben, eva].map(({ session }) => session.swarm.hashed.length);
  const sphere = await ben.session.continuation.run(old.id, noSignal);
  await world.quiet();
  expect(sphere.row.folder).toBe(ben.session.list.get(old.id).row.folder);
  expect([...sphere.state.items.values()].map(({ event }) => event.body.name)).toEqual(['beach.mp4', 'song.mp3']);
  await expect.poll(() => had(ben)[1]).toContainEqual({ state: 'complete', path });
  await world.accept(eva);
  const joined = eva.session.list.get(sphere.id);
  expect(joined.row.folder).toBe(eva.session.list.get(old.id).row.folder);
  await expect.poll(() => joined.state.items.size).toBe(2);
  await expect.poll(() => had(eva)[1]).toContainEqual({ state: 'sharing', path: song });
  expect([ben, eva].map(({ session }) => session.swarm.hashed.length)).toEqual(hashed);
  for (const [person, count] of [
    [ben, 1],
    [eva, 1],
  ] as const) {
    const specs = [...person.session.swarm.torrents.values()];
    expect(specs.map(({ sphereId }) => sphereId)).toEqual(Array.from({ length: count }, () => sphere.id));
  }
  const { continued } = eva.session.list.get(old.id).log.continuation;
  expect([...continued.keys()]).toEqual([sphere.id]);
  expect(sphere.state.members.has(ana.jid)).toBe(false);
});

test('a sphere that goes on elsewhere keeps its speed limits, of each of its people their own', async () => {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const old = await world.sphere(ana, ben, eva);
  const limits = { up: 1_000, down: 2_000 };
  ben.session.storage.spheres.update(old.id, { limits });
  eva.session.storage.spheres.update(old.id, { limits: { up: 0, down: 3_000 } });
  await ana.stop();
  const sphere = await ben.session.continuation.run(old.id, noSignal);
  await world.quiet();
  await world.accept(eva);
  expect(sphere.row.limits).toEqual(limits);
  expect(eva.session.list.get(sphere.id).row.limits).toEqual({ up: 0, down: 3_000 });
});

test('who has not come along yet goes on being served where they are, also after a restart', async () => {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const old = await world.sphere(ana, ben, eva);
  const itemId = await ben.share('beach.mp4');
  await world.quiet();
  const { infoHash } = ben.session.items.row(itemId);
  await ana.stop();
  const { id } = await ben.session.continuation.run(old.id, noSignal);
  await world.quiet();
  const servedIn = { sphereId: id, alsoIn: [old.id] };
  await expect.poll(() => ben.session.swarm.torrents.get(infoHash)).toMatchObject(servedIn);
  expect(ben.session.swarm.spheres.get(old.id)?.devices).toContain(eva.session.identity.device.id);
  await ben.stop();
  await ben.start();
  await world.quiet();
  await expect.poll(() => ben.session.swarm.torrents.get(infoHash)).toMatchObject(servedIn);
});

test('a sphere with an admin or with us as its owner does not go on elsewhere', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  const refused = expect.objectContaining({ code: 'not-allowed' });
  await expect(ana.session.continuation.run(sphere.id, noSignal)).rejects.toEqual(refused);
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  await world.quiet();
  await expect(ben.session.continuation.run(sphere.id, noSignal)).rejects.toEqual(refused);
  expect(ben.session.list.all()).toHaveLength(1);
});

test('whoever continued a sphere and crashed before telling anybody tells and invites the others when they are back', async () => {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const old = await world.sphere(ana, ben, eva);
  await ana.share('beach.mp4');
  await world.quiet();
  await ana.stop();
  const from = ben.session.list.get(old.id);
  const { id } = await ben.session.members.found({ name: 'Summer', history: 'all', from }, noSignal);
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect([...eva.session.list.get(old.id).log.continuation.continued.keys()]).toEqual([id]);
  await world.accept(eva);
  await expect.poll(() => eva.session.list.get(id).state.items.size).toBe(1);
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect(
    ben.session.list
      .get(id)
      .log.events()
      .filter(({ type }) => type === 'invite'),
  ).toHaveLength(1);
});
