import { expect, test } from 'vitest';
import { concatBytes } from '../../src/base/bytes.ts';
import type { EventId, SphereId } from '../../src/base/id.ts';
import { viewSphere } from '../../src/engine/sphere-view.ts';
import { attachment } from '../../src/spheres/protocol/envelope.ts';
import { setPicture } from '../../src/spheres/set-picture.ts';
import { NO_REAL_PICTURE } from '../fixtures/protocol/picture-vectors.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

const MINUTE = 60_000;
const picture = (last: number): Uint8Array => concatBytes(NO_REAL_PICTURE, Uint8Array.of(last));

/** What somebody has of the picture of a sphere: null = it has none, undefined = it has not come. */
function seen({ session }: SimPerson, id?: SphereId): Uint8Array | null | undefined {
  const sphere = id === undefined ? session.sphere() : session.list.get(id);
  const event = sphere.log.picture;
  const bytes = event === null ? null : session.storage.attachments.get(event.id, 'picture');
  const url = viewSphere(session.shown, sphere).pictureUrl;
  expect(url).toBe(event !== null && bytes ? `/preview/sphere-${event.id}` : null);
  return bytes;
}

async function family(history: 'all' | 'from-join' = 'all') {
  const world = new SimWorld();
  const [ana, ben, eva] = [await world.person('ana'), await world.person('ben'), await world.person('eva')];
  const sphere = await ana.session.members.found({ name: 'Summer', history }, noSignal);
  for (const other of [ben, eva]) await world.bringIn(ana, other);
  const give = ({ session }: SimPerson, image: Uint8Array | null) => setPicture(session.list, sphere.id, image);
  return { world, ana, ben, eva, sphere, give };
}

test('a picture is seen by everybody until it is taken away, and only owner and admins give one', async () => {
  const { world, ana, ben, eva, sphere, give } = await family();
  give(ana, picture(1));
  await world.quiet();
  expect([ana, ben, eva].map((one) => seen(one))).toEqual([picture(1), picture(1), picture(1)]);
  ana.session.members.setRole(sphere.id, eva.jid, 'viewer');
  await world.quiet();
  for (const one of [ben, eva]) {
    expect(() => give(one, picture(2))).toThrow(expect.objectContaining({ code: 'not-allowed' }));
  }
  const { size } = ana.session.sphere().log;
  give(ana, picture(1));
  expect(ana.session.sphere().log.size).toBe(size);
  give(ana, null);
  await world.quiet();
  expect([ana, ben, eva].map((one) => seen(one))).toEqual([null, null, null]);
  // Nobody is told of it in the chat, as of a new name.
  expect(ben.session.lines().filter(({ kind }) => kind === 'text')).toEqual([]);
});

test('what is too long or neither WebP nor JPEG is given to nobody', async () => {
  const { ana, give } = await family();
  const long = concatBytes(NO_REAL_PICTURE, new Uint8Array(24 * 1024));
  expect(() => give(ana, long)).toThrow(expect.objectContaining({ code: 'too-large' }));
  expect(() => give(ana, Uint8Array.of(1, 2, 3))).toThrow(expect.objectContaining({ code: 'bad-input' }));
  expect(seen(ana)).toBeNull();
});

test('of two pictures that are given at the same time everybody sees the same', async () => {
  const { world, ana, ben, eva, sphere, give } = await family();
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  await world.quiet();
  give(ana, picture(1));
  give(ben, picture(2));
  await world.quiet();
  const [first] = [ana, ben, eva].map((one) => seen(one));
  expect([picture(1), picture(2)]).toContainEqual(first);
  expect([ana, ben, eva].map((one) => seen(one))).toEqual([first, first, first]);
});

test.each(['all', 'from-join'] as const)(
  'whoever joins later has the picture, and none of the earlier ones, where the history rule is %s',
  async (history) => {
    const { world, ana, ben, give } = await family(history);
    give(ana, picture(1));
    const before = ana.session.sphere().log.picture?.id ?? ('' as EventId);
    give(ana, picture(2));
    await world.pass(MINUTE);
    const zoe = await world.person('zoe');
    await world.bringIn(ana, zoe);
    await world.until(() => seen(zoe) !== undefined);
    expect([seen(ben), seen(zoe)]).toEqual([picture(2), picture(2)]);
    expect([ana, zoe].map(({ session }) => session.storage.attachments.has(before, 'picture'))).toEqual([true, false]);
  },
);

test('a second computer of a person has the picture', async () => {
  const { world, ana, ben, give } = await family();
  give(ana, picture(1));
  await world.pass(MINUTE);
  const laptop = await world.another(ben);
  await world.until(() => laptop.session.list.all().length === 1 && seen(laptop) !== undefined);
  expect(seen(laptop)).toEqual(picture(1));
});

test('a sphere that goes on in a new one has its picture there, also for those who come along', async () => {
  const { world, ana, ben, eva, sphere, give } = await family();
  give(ana, picture(1));
  await world.quiet();
  await ana.stop();
  const next = await ben.session.continuation.run(sphere.id, noSignal);
  await world.quiet();
  await world.accept(eva);
  await world.until(() => seen(eva, next.id) !== undefined);
  expect([seen(ben, next.id), seen(eva, next.id)]).toEqual([picture(1), picture(1)]);
});

test('a picture that did not fit beside its event is asked for', async () => {
  const { world, ana, ben, eva, give } = await family();
  await eva.stop();
  give(ana, picture(1));
  await world.quiet();
  const id = ana.session.sphere().log.picture?.id;
  if (id === undefined) throw new Error('there is none');
  ben.session.storage.attachments.remove(id, 'picture');
  expect(seen(ben)).toBeUndefined();
  await ben.stop();
  await ben.start();
  await world.until(() => seen(ben) !== undefined);
  expect(seen(ben)).toEqual(picture(1));
});

test('a member who sends the picture once more with other bytes takes it from nobody, and it is noted', async () => {
  const { world, ana, ben, eva, give } = await family();
  give(ana, picture(1));
  await world.quiet();
  const sphere = eva.session.sphere();
  const event = sphere.log.picture;
  if (event === null) throw new Error('there is none');
  sphere.enqueue(event, [attachment('picture', picture(9))], { audience: { kind: 'members' } });
  eva.session.outgoing.poke();
  await world.quiet();
  expect([ana, ben].map((one) => seen(one))).toEqual([picture(1), picture(1)]);
  expect(world.entries.some(({ text }) => text === 'attachments refused')).toBe(true);
});
