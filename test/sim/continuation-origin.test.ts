import { expect, test } from 'vitest';
import { systemRandom } from '../../src/base/random.ts';
import { carryOver } from '../../src/spheres/carry-over.ts';
import { ItemDeletion } from '../../src/spheres/item-deletion.ts';
import { noSignal, SimWorld } from './sim-world.ts';

test('an item that is listed in a sphere which ours does not go on in stays here and goes on being served', async () => {
  const world = new SimWorld();
  const [ana, hal, wim] = [await world.person('ana'), await world.person('hal'), await world.person('wim')];
  const family = await world.sphere(ana, hal, wim);
  const itemId = await wim.share('beach.mp4');
  await world.quiet();
  const { path, infoHash } = wim.session.items.row(itemId);
  const { list, members, storage } = hal.session;
  const choir = await members.create('Choir', noSignal);
  await members.invite(choir.id, wim.jid, noSignal);
  await world.quiet();
  await world.accept(wim);
  carryOver({ storage, list, random: systemRandom, log: world.log }, list.get(family.id), choir);
  await world.quiet();
  await expect.poll(() => wim.session.list.get(choir.id).state.items.size).toBe(1);
  await wim.stop();
  await wim.start();
  await world.quiet();
  await expect.poll(() => wim.session.swarm.torrents.get(infoHash)).toMatchObject({ sphereId: family.id, alsoIn: [] });
  expect(wim.session.items.row(itemId)).toMatchObject({ state: 'sharing', path, wanted: true });
});

test('an item that was deleted in the sphere that goes on stays in the old one for those who are there', async () => {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const old = await world.sphere(ana, ben, eva);
  const itemId = await eva.share('song.mp3');
  await world.quiet();
  const { path, infoHash } = eva.session.items.row(itemId);
  const from = ben.session.list.get(old.id);
  const sphere = await ben.session.members.found({ name: 'Summer', history: 'all', from }, noSignal);
  await ben.session.members.invite(sphere.id, eva.jid, noSignal);
  await world.quiet();
  await world.accept(eva);
  const { storage, list, items } = ben.session;
  for (const row of storage.items.list(sphere.id)) new ItemDeletion({ list, items }).delete(row);
  await expect.poll(() => eva.session.storage.items.list(sphere.id)[0]?.deletedAtMs).toBeGreaterThan(0);
  await ben.session.continuation.finish(sphere, noSignal);
  await world.quiet();
  await eva.stop();
  await eva.start();
  await world.quiet();
  expect([...eva.session.list.get(old.id).log.continuation.continued.keys()]).toEqual([sphere.id]);
  await expect.poll(() => eva.session.swarm.torrents.get(infoHash)).toMatchObject({ sphereId: old.id });
  expect(eva.session.items.row(itemId)).toMatchObject({ state: 'sharing', path });
});

test('where an admin decides, nobody’s word that the sphere goes on elsewhere counts', async () => {
  const world = new SimWorld();
  const [ana, ben, hal] = [await world.person('ana'), await world.person('ben'), await world.person('hal')];
  const sphere = await world.sphere(ana, ben, hal);
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  await world.quiet();
  const { list, members } = hal.session;
  const trap = await members.create('Summer', noSignal);
  const word = { sphere: trap.id };
  const { id } = list.publish(list.get(sphere.id), 'continued', word, { audience: { kind: 'members' } });
  await world.quiet();
  const { log } = ben.session.list.get(sphere.id);
  expect(log.verdict(id)).toEqual({ kind: 'refused', reason: 'not-allowed' });
  expect(log.continuation.continued.size).toBe(0);
});
