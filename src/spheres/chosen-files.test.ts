import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import type { EventId } from '../base/id.ts';
import { widen } from './chosen-files.ts';
import { ItemDeletion } from './item-deletion.ts';
import { UNDO_MS } from './item-removal.ts';
import { fullBitfield } from './piece-map.ts';

const PHOTOS = ['one', 'two', 'three'];

/** Ana has shared a folder of three photos with Ben. */
async function album() {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  const folder = join(ana.folder.folder, 'album');
  await mkdir(folder);
  for (const [index, content] of PHOTOS.entries()) await writeFile(join(folder, `${index}.jpg`), content);
  const input = { sphereId: ana.session.sphere().id, paths: [folder], plain: false };
  const [itemId] = await ana.session.shares.share(input, noSignal);
  await world.quiet();
  if (itemId === undefined) throw new Error('nothing was shared');
  const { items, swarm } = ben.session;
  const { infoHash } = items.row(itemId);
  const get = async (files: readonly number[] | null): Promise<void> => {
    items.get(itemId, files);
    await items.placed(itemId, noSignal);
    await world.quiet();
  };
  /** What Ben's swarm was told last: how many ranges, which of the files lie in the sphere's folder, and how many were here. */
  const told = () => {
    const spec = swarm.torrents.get(infoHash);
    const { folder: own } = ben.session.sphere().row;
    const files = (spec?.segments ?? []).filter((segment) => segment.kind === 'file');
    const inPlace = files.map(({ path }) => path.startsWith(own));
    const { synced, doubted } = spec ?? {};
    return { wanted: spec?.wanted?.length ?? null, inPlace, synced: synced?.length, doubted: doubted?.length };
  };
  const arrived = async (index: number): Promise<void> => {
    const segment = (items.row(itemId).layout ?? [])[index];
    const path = segment?.kind === 'file' ? segment.path : '';
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, PHOTOS[index] ?? '');
    swarm.emit({ kind: 'have', infoHash, bitfield: fullBitfield(1), bytesHave: 5, identities: null });
    swarm.say(infoHash, 'partial');
    await world.quiet();
  };
  return { world, ana, ben, itemId, get, told, arrived, state: () => items.row(itemId).state };
}

test('one file of a folder is fetched, its neighbours go nowhere in the folder of the sphere', async () => {
  const { ben, itemId, get, told, arrived, state } = await album();
  await get([1]);
  expect(told()).toEqual({ wanted: 1, inPlace: [false, true, false], synced: 0, doubted: 0 });
  await arrived(1);
  await expect.poll(state).toBe('partial');
  await ben.session.items.wait(itemId, noSignal);
  expect(await readdir(ben.session.items.row(itemId).path ?? '')).toEqual(['1.jpg']);
});

test('what is chosen later is added, and in the end everything can be wanted', async () => {
  const { get, told, arrived, state } = await album();
  await get([1]);
  await arrived(1);
  await expect.poll(state).toBe('partial');
  await get([1]);
  expect([state(), told().wanted]).toEqual(['partial', 1]);
  await get([2]);
  expect(told()).toEqual({ wanted: 2, inPlace: [false, true, true], synced: 1, doubted: 0 });
  await get(null);
  expect(told()).toMatchObject({ wanted: null, inPlace: [true, true, true] });
  await get([0]);
  expect(told().wanted).toBeNull();
});

test('thirty days after the folder was deleted for everybody a chosen file of it is still there', async () => {
  const { world, ana, ben, itemId, get, arrived, state } = await album();
  await get([1]);
  await arrived(1);
  await expect.poll(state).toBe('partial');
  const { path } = ben.session.items.row(itemId);
  new ItemDeletion(ana.session).delete(ana.session.items.row(itemId));
  await world.quiet();
  const { storage } = ben.session;
  storage.items.update(itemId, { deletedAtMs: ben.session.items.row(itemId).deletedAtMs - UNDO_MS });
  await world.pass(7_200_000);
  expect(storage.attachments.list(itemId as string as EventId)).toEqual([]);
  expect(await readdir(path ?? '')).toEqual(['1.jpg']);
});

test('chosen files that are on the disk for good are not written again, also after a pause and a restart', async () => {
  const { world, ben, itemId, get, arrived, state } = await album();
  const row = () => ben.session.items.row(itemId);
  const isSynced = () => ben.session.swarm.torrents.get(row().infoHash)?.synced?.length;
  await get([1]);
  expect(isSynced()).toBe(0);
  await arrived(1);
  await expect.poll(state).toBe('partial');
  // Somebody plays another one.
  ben.session.swarm.say(row().infoHash, 'downloading');
  await world.quiet();
  expect(row().state).toBe('partial');
  await ben.session.items.setPaused(itemId, true, noSignal);
  ben.session.swarm.say(row().infoHash, 'paused');
  await world.quiet();
  expect(row()).toMatchObject({ state: 'partial', paused: true });
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect(isSynced()).toBe(1);
  await ben.session.items.setPaused(itemId, false, noSignal);
  expect(row()).toMatchObject({ state: 'partial', paused: false });
  // A file of them is gone: it comes again, and that is not known to be on the disk for good.
  const { infoHash } = row();
  ben.session.swarm.emit({ kind: 'have', infoHash, bitfield: Uint8Array.of(0), bytesHave: 0, identities: null });
  ben.session.swarm.say(infoHash, 'downloading');
  await world.quiet();
  expect(row().state).toBe('downloading');
});

test('a chosen file that the disk refused is doubted also when all files are wanted after that, and after a restart', async () => {
  const { world, ben, itemId, get, told } = await album();
  await get([1]);
  const { infoHash } = ben.session.items.row(itemId);
  const { swarm } = ben.session;
  swarm.emit({ kind: 'have', infoHash, bitfield: fullBitfield(1), bytesHave: 5, identities: null });
  swarm.say(infoHash, 'failed', { error: { code: 'disk-error', message: 'cannot sync a file' } });
  await world.quiet();
  await get(null);
  expect(told()).toMatchObject({ wanted: null, synced: 0, doubted: 1 });
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect(told()).toMatchObject({ wanted: null, synced: 0, doubted: 1 });
});

test('a chosen file that is on the disk for good stays so known while others come, also after a restart', async () => {
  const { world, ben, get, told, arrived, state } = await album();
  await get([1]);
  await arrived(1);
  await expect.poll(state).toBe('partial');
  await get([2]);
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect(told()).toMatchObject({ wanted: 2, synced: 1, doubted: 0 });
});

test('a chosen file that is not the one that was shared is not called here', async () => {
  const { ben, itemId, get, arrived, state } = await album();
  await get([0]);
  PHOTOS[0] = 'six';
  await arrived(0);
  PHOTOS[0] = 'one';
  await expect.poll(state).toBe('failed');
  expect(ben.session.items.error(itemId)?.code).toBe('forged');
});

test('all files one by one are the whole item', () => {
  const nothing = { wanted: false, chosen: null };
  expect(widen(nothing, [2], 3)).toEqual([2]);
  expect(widen({ wanted: true, chosen: [2] }, [0], 3)).toEqual([0, 2]);
  expect(widen({ wanted: true, chosen: [0, 2] }, [1], 3)).toBeNull();
  expect(widen({ wanted: true, chosen: null }, [1], 3)).toBeNull();
  expect(widen({ wanted: false, chosen: [0] }, [1], 3)).toEqual([1]);
});
