import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { errorCode } from '../../src/base/errors.ts';
import type { ItemId } from '../../src/base/id.ts';
import { systemRandom } from '../../src/base/random.ts';
import { startEpoch } from '../../src/spheres/start-epoch.ts';
import type { SharedFilm } from './received-item.ts';
import { arrive, arriveFirstPiece, fetchBegun } from './received-item.ts';
import type { SimPerson } from './sim-world.ts';
import { noSignal, SimWorld } from './sim-world.ts';

interface Unaware extends SharedFilm {
  readonly eve: SimPerson;
  /** Ben's program hears of the removal. */
  learn(): Promise<void>;
}

/** Ana has removed Eve; Ben, who did not hear of it, has shared a film, which Eve got too. Ana begins to fetch it. */
async function unaware(name = 'beach.mp4'): Promise<Unaware> {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  const sphere = await world.sphere(ana, ben, eve);
  const { deliver, sayTo } = world.server;
  world.server.deliver = (message, to) => (to === ana.jid || message.from === ben.jid ? [message] : []);
  world.server.sayTo = () => undefined;
  await ana.session.members.remove(sphere.id, eve.jid, noSignal);
  await world.quiet();
  const { room } = sphere.row;
  // Her server keeps the removal from her and lets her in again.
  world.server.setAffiliation(room, eve.jid, 'member');
  world.server.answerHistory = () => [];
  await eve.stop();
  await eve.start();
  await world.quiet();
  // What Ben says meanwhile makes it plain that his film comes after the removal.
  for (const text of ['one', 'two', 'three', 'four']) ben.session.messages.say(sphere.id, text);
  const content = 'film '.repeat(1000);
  await mkdir(dirname(join(ben.folder.folder, name)), { recursive: true });
  const itemId = await ben.share(name, content);
  await world.quiet();
  const film = { world, ana: ben, ben: ana, itemId, content };
  await fetchBegun(film);
  const learn = async (): Promise<void> => {
    Object.assign(world.server, { deliver, sayTo });
    world.server.answerHistory = (entries) => entries;
    // The archive tells everything once more.
    ben.session.storage.spheres.update(sphere.id, { archiveCursor: null });
    await ben.stop();
    await ben.start();
    await world.quiet();
  };
  return { ...film, eve, learn };
}

function canRead(person: SimPerson, itemId: ItemId): boolean {
  const { source } = person.session;
  const sphere = person.session.sphere();
  try {
    return source.mediaKey(sphere, source.event(sphere, itemId)) !== null;
  } catch (error) {
    if (['not-found', 'cannot-encrypt', 'forged'].includes(errorCode(error))) return false;
    throw error;
  }
}

const listed = (person: SimPerson): ItemId[] =>
  [...person.session.sphere().state.items.values()].flatMap(({ id, replacedBy }) => (replacedBy === null ? [id] : []));

const rowsInUse = ({ session }: SimPerson): ItemId[] =>
  session.storage.items.listAll().flatMap(({ itemId, layout }) => (layout === null ? [] : [itemId]));

test('what was shared without knowing of a removal gets a new key, and whoever has it fetches nothing again', async () => {
  const film = await unaware();
  const { ana: ben, ben: ana, eve, itemId, content } = film;
  await arrive(film);
  await expect.poll(() => ana.session.items.row(itemId).state).toBe('complete');
  const { path } = ana.session.items.row(itemId);
  expect(canRead(eve, itemId)).toBe(true);
  await film.learn();
  await expect.poll(() => listed(ana)).not.toEqual([itemId]);
  const renewed = listed(ben)[0] ?? itemId;
  expect(listed(ana)).toEqual([renewed]);
  expect([ana, ben, eve].map((person) => canRead(person, renewed))).toEqual([true, true, false]);
  for (const person of [ana, ben]) {
    await expect.poll(() => rowsInUse(person)).toEqual([renewed]);
    const torrents = [itemId, renewed].map((id) => person.session.items.row(id).infoHash);
    await expect.poll(() => torrents.map((hash) => person.session.swarm.torrents.has(hash))).toEqual([false, true]);
    const lines = person.session.lines().filter(({ kind }) => kind === 'item');
    expect(lines.map((line) => [line.id as string, line.itemId])).toEqual([[itemId, renewed]]);
  }
  expect(ben.session.items.row(renewed)).toMatchObject({ state: 'sharing', wanted: true });
  expect(ana.session.items.row(renewed)).toMatchObject({ state: 'complete', path, bytesHave: content.length });
  expect(await readFile(path ?? '', 'utf8')).toBe(content);
});

test('what has arrived in part goes on behind what is there', async () => {
  const film = await unaware();
  const { ana: ben, ben: ana, itemId } = film;
  await arriveFirstPiece(film);
  const { path, bitfield } = ana.session.items.row(itemId);
  await film.learn();
  await expect.poll(() => listed(ana)).not.toEqual([itemId]);
  await expect.poll(() => rowsInUse(ana)).toEqual(listed(ben));
  const row = ana.session.items.row(listed(ben)[0] ?? itemId);
  expect(row.itemId).not.toBe(itemId);
  expect(row).toMatchObject({ state: 'downloading', path, bitfield });
  expect(ana.session.swarm.torrents.get(row.infoHash)).toMatchObject({ bitfield });
});

test('an item whose file was changed since keeps its old version', async () => {
  const film = await unaware();
  const { ana: ben, itemId } = film;
  await writeFile(ben.session.items.row(itemId).path ?? '', 'other bytes');
  await film.learn();
  await expect
    .poll(() => ben.session.shares.jobs().map(({ phase, isNewKey }) => [phase, isNewKey]))
    .toEqual([['failed', true]]);
  expect(listed(ben)).toEqual([itemId]);
});

test('an item whose disk was away when its key was due gets the key when the disk is back, in the same run', async () => {
  const film = await unaware('disk/beach.mp4');
  const { ana: ben, itemId, world } = film;
  const path = join(ben.folder.folder, 'disk');
  await rename(path, `${path} away`);
  await film.learn();
  await expect.poll(() => ben.session.shares.jobs().map(({ phase }) => phase)).toEqual(['failed']);
  await rename(`${path} away`, path);
  await world.pass(61_000);
  await expect.poll(() => listed(ben)).not.toEqual([itemId]);
});

test('what was shared under an epoch that is refused later opens for all, is served after a restart and gets a new key', async () => {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  const sphere = await world.sphere(ana, ben, eve);
  const dan = await world.person('dan');
  await world.bringIn(ana, dan);
  ana.session.members.setRole(sphere.id, ben.jid, 'admin');
  await world.quiet();
  ana.session.link.goOffline();
  await ben.session.members.remove(sphere.id, dan.jid, noSignal);
  await world.quiet();
  const itemId = await eve.share('beach.mp4', 'film '.repeat(1000));
  await world.quiet();
  const refused = eve.session.sphere().currentEpoch.eventId;
  // Ana knows nothing of it, and her removal of Ben stands behind.
  for (const text of ['one', 'two', 'three', 'four']) ana.session.messages.say(sphere.id, text);
  const { answerHistory } = world.server;
  world.server.answerHistory = () => [];
  await ana.session.members.remove(sphere.id, ben.jid, noSignal);
  await ana.session.goOnline();
  await world.quiet();
  world.server.answerHistory = answerHistory;
  await world.until(() => ana.session.sphere().log.has(itemId as never));
  await eve.stop();
  await eve.start();
  await world.pass(120_000);
  expect(eve.session.sphere().state.refused.get(refused)).toBe('removed');
  expect([ana, eve].map((person) => canRead(person, itemId))).toEqual([true, true]);
  await expect.poll(() => listed(ana)).not.toEqual([itemId]);
  await world.quiet();
  const renewed = listed(ana)[0] ?? itemId;
  expect(listed(eve)).toEqual([renewed]);
  expect([ana, eve, ben].map((person) => canRead(person, renewed))).toEqual([true, true, false]);
  expect(eve.session.items.row(renewed)).toMatchObject({ state: 'sharing', wanted: true });
  const { event } = eve.session.sphere().state.items.get(renewed) ?? {};
  expect(event?.body.epoch).toBe(ana.session.sphere().currentEpoch.eventId);
});

test('whoever was removed and goes on with all keys they have is refused item, epoch and swarm', async () => {
  const world = new SimWorld();
  const [ana, ben, eve] = [await world.person('ana'), await world.person('ben'), await world.person('eve')];
  const sphere = await world.sphere(ana, ben, eve);
  ana.session.members.setRole(sphere.id, eve.jid, 'admin');
  await world.quiet();
  const { device } = eve.session.identity;
  const { sayTo, deliver } = world.server;
  // Her program is kept from learning of it, and so does what it always did.
  world.server.sayTo = () => undefined;
  world.server.deliver = (message, to) => (to === eve.jid ? [] : [message]);
  await ana.session.members.remove(sphere.id, eve.jid, noSignal);
  await world.quiet();
  world.server.setAffiliation(sphere.row.room, eve.jid, 'member');
  world.server.answerHistory = () => [];
  await eve.stop();
  await eve.start();
  await eve.share('after.mp4');
  startEpoch({ list: eve.session.list, random: systemRandom }, eve.session.sphere(), 'renewal');
  Object.assign(world.server, { sayTo, deliver });
  await world.quiet();
  for (const person of [ana, ben]) {
    const { state, currentEpoch } = person.session.sphere();
    expect(listed(person)).toEqual([]);
    expect(currentEpoch.eventId).toBe(ana.session.sphere().currentEpoch.eventId);
    const hers = person.session
      .sphere()
      .log.events()
      .filter(({ header }) => header.device === device.id);
    const beyond = hers
      .filter(({ type }) => type === 'item' || type === 'epoch')
      .map(({ id }) => state.refused.get(id));
    expect(beyond).toEqual(['removed', 'removed']);
    const told = person.session.swarm.spheres.get(sphere.id);
    expect(told?.devices).not.toContain(device.id);
    expect(told?.epochs[0]).toMatchObject({ admission: currentEpoch.secrets.admission });
  }
  expect(eve.session.sphere().epochs.map(({ eventId }) => eventId)).not.toContain(
    ana.session.sphere().currentEpoch.eventId,
  );
});
