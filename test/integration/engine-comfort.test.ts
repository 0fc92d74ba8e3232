import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseItemId, parseSphereId } from '../../src/base/id.ts';
import { locateProfile, readEngineFile } from '../../src/engine/profile.ts';
import type { ItemView } from '../../src/contract/views.ts';
import { encode } from '../../src/torrent/bencode/bencode.ts';
import { landscapeSvg } from '../fixtures/landscape.ts';
import type { Person } from '../fixtures/engine-world.ts';
import { EngineWorld } from '../fixtures/engine-world.ts';
import { OpenTracker } from '../fixtures/open-tracker.ts';

let world: EngineWorld;
let anna: Person;
let ben: Person;
let sphere: string;

beforeAll(async () => {
  world = await EngineWorld.start(['anna', 'ben']);
  [anna, ben] = [world.person('anna'), world.person('ben')];
  sphere = await world.sphere('Holidays', anna, ben);
});

afterAll(async () => await world[Symbol.asyncDispose]());

test('how far the person is with a film is still known after a restart, on this device alone', async () => {
  const path = join(world.folder, 'film.mp4');
  await writeFile(path, randomBytes(200_000));
  const item = await anna.share(sphere, path);
  const film = { sphereId: parseSphereId(sphere), itemId: parseItemId(item), file: 0 };
  const positionOf = async (person: Person): Promise<number> =>
    (await person.ask((client) => client.items.playback(film))).positionMs;
  expect(await positionOf(anna)).toBe(0);
  await anna.ask((client) => client.items.keepPosition({ ...film, positionMs: 61_500 }));
  await anna.engine.killHard();
  await anna.restart();
  expect(await positionOf(anna)).toBe(61_500);
  await ben.item(sphere, item);
  expect(await positionOf(ben)).toBe(0);
  await anna.ask((client) => client.items.keepPosition({ ...film, positionMs: 0 }));
  expect(await positionOf(anna)).toBe(0);
});

test('what a program puts into the folder of a sphere reaches the others, and goes no further from there', async () => {
  const folderOf = async (person: Person): Promise<string> =>
    (await person.spheres()).find(({ id }) => id === sphere)?.folder ?? '';
  await writeFile(join(await folderOf(anna), 'recipe.txt'), 'flour, eggs');
  const names = async (person: Person): Promise<string[]> => (await person.items(sphere)).map(({ name }) => name);
  await expect.poll(() => names(anna), { timeout: 60_000, interval: 500 }).toContain('recipe.txt');
  const { id } = (await anna.items(sphere)).find(({ name }) => name === 'recipe.txt') ?? { id: '' };
  await ben.item(sphere, id);
  await ben.get(sphere, id);
  expect(await readFile(join(await folderOf(ben), 'recipe.txt'), 'utf8')).toBe('flour, eggs');
  expect((await names(ben)).filter((name) => name === 'recipe.txt')).toHaveLength(1);
}, 120_000);

test('one film of a folder is fetched alone, and the rest when it is wanted too', async () => {
  const folder = join(world.folder, 'Films');
  await mkdir(folder);
  for (const name of ['1.bin', '2.bin', '3.bin']) await writeFile(join(folder, name), randomBytes(2_000_000));
  const item = await anna.share(sphere, folder);
  await ben.item(sphere, item);
  const { item: part } = await ben.run<{ item: ItemView }>('get', sphere, item, '2.bin', '--wait');
  expect(part).toMatchObject({ state: 'partial', bytes: 6_000_000 });
  expect(part.bytesHave).toBeLessThanOrEqual(2_000_000 + 2 * 262_144);
  expect(await readdir(part.path ?? '')).toEqual(['2.bin']);
  expect(await readFile(join(part.path ?? '', '2.bin'))).toEqual(await readFile(join(folder, '2.bin')));
  await ben.engine.killHard();
  await ben.restart();
  const kept = await ben.item(sphere, item, ({ state }) => state === 'partial');
  expect(kept.bytesHave).toBe(part.bytesHave);
  await ben.get(sphere, item);
  expect(await readFile(join(part.path ?? '', '1.bin'))).toEqual(await readFile(join(folder, '1.bin')));
}, 120_000);

test('playing one film of a folder that is not here fetches that one alone', async () => {
  const folder = join(world.folder, 'Evening');
  await mkdir(folder);
  for (const name of ['1.bin', '2.bin', '3.bin']) await writeFile(join(folder, name), randomBytes(2_000_000));
  const item = await anna.share(sphere, folder);
  await ben.item(sphere, item);
  await ben.run('url', sphere, item, '2.bin');
  const part = await ben.item(sphere, item, ({ state }) => state === 'partial');
  expect(part.files.map(({ isHere, isWanted }) => [isHere, isWanted])).toEqual([
    [false, false],
    [true, true],
    [false, false],
  ]);
  expect(await readdir(part.path ?? '')).toEqual(['2.bin']);
}, 120_000);

test('a .torrent from elsewhere is listed for both, begins by a clear yes alone, and calls nobody in our own networks', async () => {
  await using tracker = await OpenTracker.start();
  const info = { length: 40_000, name: 'found.bin', 'piece length': 16_384, pieces: randomBytes(60) };
  const path = join(world.folder, 'found.torrent');
  await writeFile(path, encode({ announce: tracker.url, info }));
  const item = await anna.share(sphere, path);
  const listed = await ben.item(sphere, item);
  expect(listed).toMatchObject({ name: 'found.bin', bytes: 40_000, isPublic: true, state: 'listed', path: null });
  expect(await ben.failure('get', sphere, item)).toBe('strangers-see');
  expect(await ben.failure('url', sphere, item)).toBe('strangers-see');
  await ben.run('get', sphere, item, '--public');
  await ben.item(sphere, item, ({ state }) => state === 'downloading');
  await ben.engine.killHard();
  await ben.restart();
  await ben.item(sphere, item, ({ state }) => state === 'downloading');
  await ben.run('remove', sphere, item);
  expect((await anna.item(sphere, item)).state).toBe('listed');
  expect(tracker.told).toEqual([]);
  await writeFile(path, encode({ info: { 'meta version': 2, name: 'found.bin' } }));
  expect(await anna.failure('share', sphere, path)).toBe('torrent-version-2');
}, 120_000);

test('a folder of pictures has one from the start, and each of its pictures once the folder has arrived', async () => {
  const folder = join(world.folder, 'Beach');
  await mkdir(folder);
  for (const seed of [1, 2]) {
    const picture = sharp(Buffer.from(landscapeSvg(seed, 1200, 900))).jpeg();
    await picture.toFile(join(folder, `${seed}.jpg`));
  }
  await writeFile(join(folder, 'notes.txt'), 'sand');
  const item = await anna.share(sphere, folder);
  const listed = await ben.item(sphere, item, ({ previewUrl }) => previewUrl !== null);
  // Drawn when it was shared; those of its files are drawn by whoever has them.
  expect(listed.previewUrl).toBe(`/preview/${item}`);
  expect(listed.files.map(({ previewUrl }) => previewUrl)).toEqual([null, null, null]);
  await ben.get(sphere, item);
  const { files } = await ben.item(sphere, item, ({ state }) => state === 'complete' || state === 'sharing');
  expect(files.map(({ previewUrl }) => previewUrl)).toEqual([`/preview/${item}-0`, `/preview/${item}-1`, null]);
  const { url, token } = readEngineFile(locateProfile(ben.profile)) ?? { url: '', token: '' };
  const headers = { authorization: `Bearer ${token}` };
  const answers = await Promise.all(
    ['', '-0', '-1', '-2', '-9'].map((file) => fetch(`${url}/preview/${item}${file}`, { headers })),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 404, 404]);
  const picture = (await answers[2]?.arrayBuffer()) ?? new ArrayBuffer(0);
  const { width, format } = await sharp(Buffer.from(picture)).metadata();
  expect([width, format]).toEqual([320, 'webp']);
  expect((await fetch(`${url}/preview/${item}-0`)).status).toBe(401);
});
