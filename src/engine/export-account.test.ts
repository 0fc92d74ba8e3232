import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { NO_REAL_PICTURE } from '../../test/fixtures/protocol/picture-vectors.ts';
import type { SimPerson } from '../../test/sim/sim-world.ts';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import { parseBareJid } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { setPicture } from '../spheres/set-picture.ts';
import { exportAccount } from './export-account.ts';
import { ViewSource } from './view-source.ts';

async function exportOf(world: SimWorld, { session }: SimPerson, withFiles: boolean) {
  const views = new ViewSource({ feed: session.feed, clock: world.clock, log: silentLogger });
  views.follow(session.shown);
  const parent = await mkdtemp(join(tmpdir(), 'spherecast-export-'));
  onTestFinished(() => rm(parent, { recursive: true }));
  return exportAccount({ session: session.shown, views, clock: world.clock }, { parent, withFiles }, noSignal);
}

test('everything that was said and shared is in files that anybody can read, and no key is', async () => {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  const sphere = await world.sphere(ana, ben);
  const itemId = await ana.share('beach.mp4');
  ana.session.messages.say(sphere.id, 'look at this');
  setPicture(ana.session.list, sphere.id, NO_REAL_PICTURE);
  ana.session.people.talk.say(parseBareJid('zoe@c.test'), 'just for you');
  await world.quiet();

  const exported = await exportOf(world, ana, false);

  expect(exported).toMatchObject({ messages: 5, files: 0 });
  const files = (await readdir(exported.path, { recursive: true })).toSorted();
  expect(files).toEqual(
    [
      ...['account.json', 'people', 'people.json', 'people/zoe@c.test.json', 'spheres', 'spheres/Summer'],
      'spheres/Summer/picture.webp',
      ...['items', 'log', 'messages', 'sphere'].map((name) => `spheres/Summer/${name}.json`),
    ].toSorted(),
  );
  expect(await readFile(join(exported.path, 'spheres/Summer/picture.webp'))).toEqual(Buffer.from(NO_REAL_PICTURE));
  const json = async (name: string) => JSON.parse(await readFile(join(exported.path, name), 'utf8'));
  expect((await json('people/zoe@c.test.json')).messages).toMatchObject([{ text: 'just for you', mine: true }]);
  const { messages } = await json('spheres/Summer/messages.json');
  expect(messages.map(({ text }: { text: string }) => text)).toContain('look at this');
  expect((await json('spheres/Summer/items.json')).items).toMatchObject([{ id: itemId, name: 'beach.mp4' }]);
  const { events } = await json('spheres/Summer/log.json');
  expect(events.map(({ id }: { id: string }) => id)).toEqual(sphere.log.events().map(({ id }) => id));
  const all = await Promise.all(
    files.filter((name) => name.endsWith('.json')).map((name) => readFile(join(exported.path, name), 'utf8')),
  );
  const secrets = [...ana.session.storage.omemo.preKeys(), ana.session.storage.omemo.own()];
  const keys = secrets.flatMap((pair) => (pair === undefined ? [] : [Buffer.from(pair.privateKey)]));
  expect(keys.length).toBeGreaterThan(50);
  for (const key of keys) {
    expect(all.join('')).not.toContain(key.toString('hex'));
    expect(all.join('')).not.toContain(key.toString('base64'));
  }
});

test('what we call ourselves and look like is written out too', async () => {
  const world = new SimWorld();
  const ana = await world.person('ana');
  const { storage } = ana.session;
  const views = new ViewSource({ feed: ana.session.feed, clock: world.clock, log: silentLogger });
  views.follow(ana.session.shown);
  const parent = await mkdtemp(join(tmpdir(), 'spherecast-export-'));
  onTestFinished(() => rm(parent, { recursive: true }));
  const write = async () => {
    const deps = { session: ana.session.shown, views, clock: world.clock };
    const { path } = await exportAccount(deps, { parent, withFiles: false }, noSignal);
    return { path, account: JSON.parse(await readFile(join(path, 'account.json'), 'utf8')) };
  };
  expect((await write()).account).toMatchObject({ jid: ana.jid, name: null, picture: null });
  storage.account.put({ jid: ana.jid, password: 'secret', server: null, ca: null });
  storage.account.setNick('Anna 🌊');
  storage.portraits.put({ jid: ana.jid, id: 'a'.repeat(40), image: Uint8Array.of(1, 2, 3) });
  const { path, account } = await write();
  expect(account).toMatchObject({ name: 'Anna 🌊', picture: 'picture.webp' });
  expect(await readFile(join(path, account.picture))).toEqual(Buffer.of(1, 2, 3));
  expect(JSON.stringify(account)).not.toContain('secret');
});

test('talks with two people whose addresses are one name on a disk stay two', async () => {
  const world = new SimWorld();
  const ana = await world.person('ana');
  for (const jid of ['a*b@c.test', 'a?b@c.test']) ana.session.people.talk.say(parseBareJid(jid), `to ${jid}`);
  const exported = await exportOf(world, ana, false);
  const files = await readdir(join(exported.path, 'people'));
  const talks = await Promise.all(
    files.map(async (name) => JSON.parse(await readFile(join(exported.path, 'people', name), 'utf8'))),
  );
  expect(talks.map(({ messages }) => messages[0].text).toSorted()).toEqual(['to a*b@c.test', 'to a?b@c.test']);
});

test('what was deleted by hand and what links lead to does not keep the other files from being copied', async () => {
  const world = new SimWorld();
  const ana = await world.person('ana');
  const { id: sphereId } = await world.sphere(ana, await world.person('ben'));
  await ana.share('gone.mp4');
  const album = join(ana.folder.folder, 'Album');
  await mkdir(album);
  await writeFile(join(album, 'beach.jpg'), 'beach');
  await ana.session.shares.share({ sphereId, paths: [album], plain: false }, noSignal);
  await world.quiet();
  for (const [name, target] of Object.entries({ again: '.', nowhere: 'nothing' }))
    await symlink(target, join(album, name));
  await rm(join(ana.folder.folder, 'gone.mp4'));
  const exported = await exportOf(world, ana, true);
  expect(exported.files).toBe(1);
  const files = await readdir(join(exported.path, 'spheres/Summer/files'), { recursive: true });
  expect(files.toSorted()).toEqual(['Album', 'Album/beach.jpg']);
});

/** Ana shares an album of so many photographs, and everything of hers is written out. */
async function exportAlbum(count: number, chosen: number[] | null = null) {
  const world = new SimWorld();
  const ana = await world.person('ana');
  const { id: sphereId } = await world.sphere(ana);
  const album = join(ana.folder.folder, 'Album');
  await mkdir(album);
  for (let number = 0; number < count; number += 1) await writeFile(join(album, `${number}.jpg`), `photo ${number}`);
  const [itemId] = await ana.session.shares.share({ sphereId, paths: [album], plain: false }, noSignal);
  if (itemId === undefined) throw new Error('nothing was shared');
  await world.quiet();
  if (chosen !== null) ana.session.storage.items.update(itemId, { state: 'partial', chosen });
  const exported = await exportOf(world, ana, true);
  return { ...exported, sphere: join(exported.path, 'spheres/Summer') };
}

test('every file of a large folder is named, not only those that are shown first', async () => {
  const { sphere } = await exportAlbum(501);
  const { items } = JSON.parse(await readFile(join(sphere, 'items.json'), 'utf8'));
  expect(items[0].fileCount).toBe(501);
  expect(new Set(items[0].files.map(({ name }: { name: string }) => name)).size).toBe(501);
});

test('of a folder of which only some files were fetched those are copied', async () => {
  const { sphere, files } = await exportAlbum(3, [1]);
  expect(files).toBe(1);
  expect(await readdir(join(sphere, 'files/Album'))).toEqual(['1.jpg']);
  expect(await readFile(join(sphere, 'files/Album/1.jpg'), 'utf8')).toBe('photo 1');
});
