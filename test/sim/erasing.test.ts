import { expect, test } from 'vitest';
import type { EventId, ItemId } from '../../src/base/id.ts';
import { ItemDeletion } from '../../src/spheres/item-deletion.ts';
import { attachment } from '../../src/spheres/protocol/envelope.ts';
import { boast } from './boast.ts';
import type { SimPerson } from './sim-world.ts';
import { SimWorld } from './sim-world.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** Ana deletes what Eva shared; Ben and Eva hear of it and go, and while they are away she puts it back. */
async function putBackMeanwhile() {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const sphere = await world.sphere(ana, ben, eva);
  const itemId = await eva.share('beach.mp4', 'film '.repeat(1000));
  const text = ben.session.messages.say(sphere.id, 'not so nice');
  await world.quiet();
  const deletion = new ItemDeletion(ana.session);
  deletion.delete(ana.session.items.row(itemId));
  ben.session.messages.retract(sphere.id, text, false);
  await world.quiet();
  await eva.stop();
  await ben.stop();
  await world.clock.advance(20 * DAY);
  deletion.undo(ana.session.items.row(itemId));
  await world.quiet();
  await world.clock.advance(15 * DAY);
  return { world, ana, ben, eva, itemId, text };
}

function opens({ session }: SimPerson, itemId: ItemId): boolean {
  const sphere = session.sphere();
  try {
    return session.source.mediaKey(sphere, session.source.event(sphere, itemId)) !== null;
  } catch {
    return false;
  }
}

const isServed = ({ session }: SimPerson, itemId: ItemId): boolean =>
  session.swarm.torrents.has(session.items.row(itemId).infoHash);
const has = ({ session }: SimPerson, id: string, kind: string): boolean =>
  session.storage.attachments.has(id as EventId, kind);

test('what was put back while its sharer was away for long is served by them again', async () => {
  const { world, eva, ben, itemId } = await putBackMeanwhile();
  await eva.start();
  await ben.start();
  await world.pass(120 * MINUTE);
  expect([eva, ben].map((person) => opens(person, itemId))).toEqual([true, true]);
  expect(isServed(eva, itemId)).toBe(true);
});

test('nothing is erased before anybody was met who may know that it was put back', async () => {
  const { world, ana, ben, itemId, text } = await putBackMeanwhile();
  // The archive keeps a week.
  world.server.answerHistory = () => [];
  await ana.stop();
  await ben.start();
  await world.pass(120 * MINUTE);
  expect([has(ben, itemId, 'media-key'), has(ben, text, 'text')]).toEqual([true, true]);
  await ana.start();
  // Many open the program for a few minutes a day.
  await world.pass(5 * MINUTE);
  expect([has(ben, itemId, 'media-key'), has(ben, text, 'text')]).toEqual([true, false]);
});

test('by word of a computer that is being removed nothing is erased: it may be stolen', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  const laptop = await world.another(ben);
  await world.until(() => laptop.session.list.all()[0]?.epochs.length === 1);
  const text = ben.session.messages.say(sphere.id, 'not so nice');
  await world.quiet();
  ben.session.messages.retract(sphere.id, text, false);
  await world.quiet();
  for (const person of [ana, ben, laptop]) await person.stop();
  await world.clock.advance(35 * DAY);
  world.server.answerHistory = () => [];
  await ben.start();
  ben.session.devices.end((await laptop.start()).identity.device.id);
  await world.pass(120 * MINUTE);
  expect(has(ben, text, 'text')).toBe(true);
  await ana.start();
  await world.pass(120 * MINUTE);
  expect(has(ben, text, 'text')).toBe(false);
});

test('what nobody gives, or somebody made up, keeps a deleted text only as long as the word that puts it back may be in it', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  const text = ben.session.messages.say(sphere.id, 'not so nice');
  const itemId = await ben.share('beach.mp4');
  await world.quiet();
  ben.session.messages.retract(sphere.id, text, false);
  new ItemDeletion(ben.session).delete(ben.session.items.row(itemId));
  await world.quiet();
  const later = async (days: number): Promise<void> => {
    for (const person of [ana, ben]) await person.stop();
    await world.clock.advance(days * DAY);
    for (const person of [ana, ben]) await person.start();
    boast(ana);
    await world.pass(180 * MINUTE);
  };
  await later(35);
  expect([has(ben, itemId, 'media-key'), has(ben, text, 'text')]).toEqual([true, true]);
  await later(30);
  await world.until(() => !has(ben, itemId, 'media-key') && !has(ben, text, 'text'));
  expect([has(ben, itemId, 'media-key'), has(ben, text, 'text')]).toEqual([false, false]);
});

test('keys that were erased, or that a made-up one took the place of, are asked for when the item is in force', async () => {
  const { world, ana, ben, eva, itemId } = await putBackMeanwhile();
  world.server.answerHistory = () => [];
  await ana.stop();
  await eva.start();
  await ben.start();
  // These two know of nothing else.
  await world.pass(120 * MINUTE);
  expect([has(eva, itemId, 'media-key'), has(ben, itemId, 'manifest')]).toEqual([false, false]);
  const other = await ben.share('song.mp3');
  await world.quiet();
  const { bytes } = attachment('media-key', new Uint8Array(60).fill(9));
  ben.session.storage.attachments.put({ eventId: other as string as EventId, kind: 'media-key', bytes });
  await ben.stop();
  await ben.start();
  await ana.start();
  for (let step = 0; step < 12; step += 1) await world.pass(MINUTE);
  expect([eva, ben].map((person) => opens(person, itemId))).toEqual([true, true]);
  expect([has(eva, itemId, 'manifest'), isServed(eva, itemId)]).toEqual([true, true]);
  expect([opens(ben, other), isServed(ben, other)]).toEqual([true, true]);
});

test('for a key that nobody has others are not asked anew each time that somebody comes and goes', async () => {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const sphere = await world.sphere(ana, ben, eva);
  const itemId = await ana.share('beach.mp4');
  await world.pass(MINUTE);
  for (const { session } of world.people) session.storage.attachments.remove(itemId as string as EventId, 'media-key');
  await ben.stop();
  await ben.start();
  // Ana and Eva looked at the item when its key was there: only Ben asks.
  for (let time = 0; time < 20; time += 1) {
    eva.session.link.goOffline();
    for (const port of world.server.room(sphere.row.room).ports) port.onOccupants.emit(port.occupants);
    await world.pass(MINUTE / 2);
    await eva.session.goOnline();
    await world.pass(MINUTE / 2);
  }
  const asked = world.entries.filter(({ text }) => text === 'keys asked for').length;
  expect(asked).toBeGreaterThan(0);
  expect(asked).toBeLessThan(15);
});

test('a key that nobody has is asked for ever more rarely, and then only of those who come', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  const itemId = await ana.share('beach.mp4');
  await world.quiet();
  for (const { session } of [ana, ben]) session.storage.attachments.remove(itemId as string as EventId, 'media-key');
  await ben.stop();
  await ben.start();
  const asked = (): number => world.entries.filter((entry) => entry.text === 'keys asked for').length;
  for (let hour = 0; hour < 12; hour += 1) await world.pass(60 * MINUTE);
  const first = asked();
  for (let hour = 0; hour < 12; hour += 1) await world.pass(60 * MINUTE);
  expect(first).toBeGreaterThan(0);
  expect(first).toBeLessThan(40);
  expect(asked() - first).toBeLessThan(10);
  for (let day = 0; day < 3; day += 1) await world.pass(24 * 60 * MINUTE);
  const inVain = asked();
  for (let day = 0; day < 3; day += 1) await world.pass(24 * 60 * MINUTE);
  expect(asked()).toBe(inVain);
  await ana.stop();
  await ana.start();
  await world.pass(15 * MINUTE);
  expect(asked()).toBeGreaterThan(inVain);
  expect(asked()).toBeLessThan(inVain + 10);
});
