import { expect, test } from 'vitest';
import type { EventId, ItemId, SphereId } from '../../src/base/id.ts';
import { viewSphere } from '../../src/engine/sphere-view.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const MINUTES = 300_000;

/** What somebody lists of a sphere, what the sphere says to hold, and of how much of it they have the key. */
const had = ({ session }: SimPerson, id: SphereId) => {
  const sphere = session.list.get(id);
  const events = session.storage.items.list(id).flatMap(({ itemId }) => sphere.state.items.get(itemId)?.event ?? []);
  const names = events.map(({ body }) => body.name).toSorted();
  const opened = events.filter((event) => event.type === 'item' && sphere.mediaKeyCopies(event).open() !== undefined);
  return { names, counted: viewSphere(session, sphere).itemCount, opened: opened.length };
};
const all = (...names: string[]) => ({ names, counted: names.length, opened: names.length });
const NOTHING = all();
/** What somebody has of what belongs beside an item's event. */
const keptOf = ({ session }: SimPerson, id: ItemId) => session.storage.attachments.list(id as string as EventId);

/** Ana's sphere without a past, with the others in it. */
async function family<T extends string>(...names: T[]) {
  const world = new SimWorld();
  const ana = await world.person('ana');
  const old = await ana.session.members.found({ name: 'Summer', history: 'from-join' }, noSignal);
  const people = {} as Record<T, SimPerson>;
  for (const name of names) {
    people[name] = await world.person(name);
    await world.bringIn(ana, people[name]);
  }
  return { world, ana, old, ...people };
}

/** Ben shares a film and Eva a song; then Ana is gone. */
async function withoutAna() {
  const { world, ana, old, ben, eva } = await family('ben', 'eva');
  await ben.share('beach.mp4');
  const song = await eva.share('song.mp3');
  await world.quiet();
  await ana.stop();
  return { world, old, ben, eva, song };
}

/** Lets somebody else in, by hand. */
async function letIn(world: SimWorld, id: SphereId, by: SimPerson, whom: SimPerson): Promise<void> {
  await by.session.members.invite(id, whom.jid, noSignal);
  await world.quiet();
  await world.accept(whom);
}

test('a sphere without a past that goes on in a new one holds what each had in the old one, and nothing for strangers', async () => {
  const { world, old, ben, eva, song } = await withoutAna();
  const { path } = eva.session.items.row(song);
  const next = await ben.session.continuation.run(old.id, noSignal);
  await world.quiet();
  await world.accept(eva);
  for (const person of [ben, eva]) expect(had(person, next.id)).toEqual(all('beach.mp4', 'song.mp3'));
  const rows = () => eva.session.storage.items.list(next.id).map(({ state, path: at }) => ({ state, path: at }));
  await expect.poll(rows).toContainEqual({ state: 'sharing', path });
  expect(eva.session.swarm.hashed).toHaveLength(1);
  const zoe = await world.person('zoe');
  await letIn(world, next.id, ben, zoe);
  await world.pass(MINUTES);
  expect(had(zoe, next.id)).toEqual(NOTHING);
  expect([...next.state.items.keys()].flatMap((id) => keptOf(zoe, id))).toEqual([]);
  await eva.stop();
  await eva.start();
  await world.pass(MINUTES);
  expect(had(eva, next.id)).toEqual(all('beach.mp4', 'song.mp3'));
});

test('what was carried over appears without a restart when the old sphere says only later that it goes on', async () => {
  const { world, old, ben, eva } = await withoutAna();
  const from = ben.session.list.get(old.id);
  const next = await ben.session.members.found({ name: 'Summer', history: 'from-join', from }, noSignal);
  await letIn(world, next.id, ben, eva);
  await world.pass(MINUTES);
  expect(had(eva, next.id)).toEqual(NOTHING);
  await ben.session.continuation.finish(next, noSignal);
  await world.quiet();
  await world.until(() => had(eva, next.id).opened === 2);
  expect(had(eva, next.id)).toEqual(all('beach.mp4', 'song.mp3'));
});

test('whoever learns only later of an item of the old sphere sees it in the new one then', async () => {
  const { world, old, ben, eva } = await withoutAna();
  eva.session.link.goOffline();
  await ben.share('late.mp4');
  await world.quiet();
  const next = await ben.session.continuation.run(old.id, noSignal);
  await world.quiet();
  // The old room gives nothing of what was missed.
  world.server.room(ben.session.list.get(old.id).row.room).archive.length = 0;
  await eva.session.goOnline();
  await world.quiet();
  await world.accept(eva);
  await world.until(() => had(eva, next.id).opened === 3);
  expect(had(eva, next.id)).toEqual(all('beach.mp4', 'late.mp4', 'song.mp3'));
});

test('who has left the old sphere since keeps by the new one what was theirs until then', async () => {
  const { world, old, ben, eva } = await withoutAna();
  const next = await ben.session.continuation.run(old.id, noSignal);
  await world.quiet();
  await eva.session.members.leave(old.id, noSignal);
  await world.quiet();
  await world.accept(eva);
  await world.pass(MINUTES);
  expect(had(eva, next.id)).toEqual(all('beach.mp4', 'song.mp3'));
});

test('nobody is given by the new sphere what was shared after they left the old one, or anything when they were removed', async () => {
  const { world, ana, old, ben, gus, hal } = await family('ben', 'gus', 'hal');
  await ben.share('before.mp4');
  await world.quiet();
  await hal.session.members.leave(old.id, noSignal);
  await ana.session.members.remove(old.id, gus.jid, noSignal);
  await world.pass(MINUTES);
  await ben.share('without-them.mp4');
  await world.quiet();
  await ana.stop();
  const next = await ben.session.continuation.run(old.id, noSignal);
  await world.quiet();
  for (const person of [gus, hal]) await letIn(world, next.id, ben, person);
  await world.pass(MINUTES);
  const keptBy = (person: SimPerson) =>
    [...next.state.items.values()].flatMap(({ id, event }) => (keptOf(person, id).length > 0 ? [event.body.name] : []));
  expect([keptBy(gus), keptBy(hal)]).toEqual([[], ['before.mp4']]);
  expect(had(gus, next.id)).toEqual(NOTHING);
});

test('keys that whoever lets somebody in cannot judge come from a member who was in the old sphere, those of old epochs too', async () => {
  const { world, ana, old, ben, eva, gus } = await family('ben', 'eva', 'gus');
  await ben.share('beach.mp4');
  await eva.share('song.mp3');
  await world.quiet();
  await ana.stop();
  eva.session.link.goOffline();
  const next = await ben.session.continuation.run(old.id, noSignal);
  await world.quiet();
  await world.accept(gus);
  const [zoe, hal] = [await world.person('zoe'), await world.person('hal')];
  for (const person of [zoe, hal]) await letIn(world, next.id, ben, person);
  const { members } = ben.session;
  await members.remove(next.id, hal.jid, noSignal);
  await members.remove(next.id, eva.jid, noSignal);
  members.setRole(next.id, zoe.jid, 'admin');
  await world.pass(MINUTES);
  await eva.session.goOnline();
  await world.quiet();
  await ben.stop();
  await letIn(world, next.id, zoe, eva);
  expect(had(eva, next.id)).toMatchObject({ names: ['beach.mp4', 'song.mp3'], opened: 0 });
  await world.until(() => had(eva, next.id).opened === 2);
  expect(had(gus, next.id)).toEqual(all('beach.mp4', 'song.mp3'));
  expect(had(zoe, next.id)).toEqual(NOTHING);
});

test('a second computer lists the same of a sphere that went on, also when it comes to it later', async () => {
  const { world, old, ben, eva } = await withoutAna();
  const laptop = await world.another(eva);
  await world.until(() => laptop.session.list.find(old.id) !== undefined);
  const next = await ben.session.continuation.run(old.id, noSignal);
  await world.quiet();
  await world.accept(eva);
  const tablet = await world.another(eva);
  const computers = [eva, laptop, tablet];
  await world.until(() => computers.every(({ session }) => session.list.find(next.id) !== undefined));
  await world.until(() => computers.every((one) => had(one, next.id).opened === 2));
  for (const one of computers) expect(had(one, next.id)).toEqual(all('beach.mp4', 'song.mp3'));
});

test('what was carried over twice is open to whoever was in all of the spheres, also when two say to go on from each other', async () => {
  const { world, ana, old, ben, eva, gus } = await family('ben', 'eva', 'gus');
  await eva.share('song.mp3');
  await world.quiet();
  await ana.stop();
  const second = await ben.session.continuation.run(old.id, noSignal);
  await world.quiet();
  for (const person of [eva, gus]) await world.accept(person);
  await ben.stop();
  const third = await eva.session.continuation.run(second.id, noSignal);
  await world.quiet();
  await world.accept(gus);
  expect(had(gus, third.id)).toEqual(all('song.mp3'));
  const members = { audience: { kind: 'members' } } as const;
  const { list } = eva.session;
  list.publish(list.get(third.id), 'continued', { sphere: second.id }, members);
  await ana.start();
  await world.quiet();
  ana.session.list.publish(ana.session.list.get(old.id), 'continues', { sphere: third.id }, members);
  list.publish(list.get(third.id), 'continued', { sphere: old.id }, members);
  await world.pass(MINUTES);
  for (const { id } of [second, third]) expect(had(gus, id)).toEqual(all('song.mp3'));
});
