import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { SharedFilm } from '../../test/sim/received-item.ts';
import { arrive, fetchBegun, sharedFilm } from '../../test/sim/received-item.ts';
import { noSignal } from '../../test/sim/sim-world.ts';
import { readIdentity } from '../torrent/file-identity.ts';
import { parseMetainfo } from '../torrent/metainfo.ts';
import { fullBitfield } from './piece-map.ts';

/** Ben has the whole film; his hasher finds the pieces that were shared. */
async function received(): Promise<SharedFilm> {
  const film = await sharedFilm();
  const { ben, itemId } = film;
  await fetchBegun(film);
  await arrive(film);
  await expect.poll(() => ben.session.items.row(itemId).state).toBe('complete');
  const { source, swarm } = ben.session;
  const sphere = ben.session.sphere();
  const metainfo = await source.metainfo(sphere, source.event(sphere, itemId), noSignal);
  const { infoHash } = ben.session.items.row(itemId);
  swarm.pieces = Uint8Array.from(parseMetainfo(metainfo, { infoHash, sha256: null }).pieces);
  return film;
}

test('an undamaged item is complete again after it was checked, whatever the dates of its file say', async () => {
  const film = await received();
  const { ben, itemId, world } = film;
  const { items, swarm } = ben.session;
  const { path, infoHash } = items.row(itemId);
  await writeFile(path ?? '', film.content);
  expect(await items.recheck(itemId, noSignal)).toBe(0);
  const identity = await readIdentity(path ?? '');
  expect(items.row(itemId).layout?.[0]).toMatchObject({ identity });
  swarm.say(infoHash, 'complete');
  await world.quiet();
  await expect.poll(() => items.row(itemId).state).toBe('complete');
});

test('an item that the disk did not take is not made whole by a check, which would see only what memory shows', async () => {
  const film = await sharedFilm();
  const { ben, itemId, world } = film;
  await fetchBegun(film);
  const { items, swarm } = ben.session;
  const { infoHash } = items.row(itemId);
  const bitfield = fullBitfield(8);
  swarm.emit({ kind: 'have', infoHash, bitfield, bytesHave: film.content.length, identities: null });
  swarm.say(infoHash, 'failed');
  await world.quiet();
  expect(await items.recheck(itemId, noSignal)).toBe(0);
  expect(items.row(itemId)).toMatchObject({ state: 'failed', layout: [{ identity: null }, {}] });
});

test('damage that no edit explains is fetched again', async () => {
  const { ben, itemId } = await received();
  const { items, swarm } = ben.session;
  swarm.pieces?.fill(0, 0, 20);
  expect(await items.recheck(itemId, noSignal)).toBe(1);
  const { state, bitfield, infoHash } = items.row(itemId);
  expect({ state, first: (bitfield?.[0] ?? 0) & 0x80 }).toEqual({ state: 'downloading', first: 0 });
  expect(swarm.torrents.get(infoHash)?.segments[0]).toMatchObject({ kind: 'file', identity: null });
});

test('an edited copy is told and neither served nor overwritten', async () => {
  const film = await received();
  const { ben, itemId } = film;
  const { items, swarm } = ben.session;
  const { path, infoHash } = items.row(itemId);
  await writeFile(path ?? '', 'x'.repeat(film.content.length));
  swarm.pieces?.fill(0, 0, 20);
  await items.recheck(itemId, noSignal);
  expect(items.row(itemId).state).toBe('changed');
  expect(swarm.torrents.has(infoHash)).toBe(false);
});

test('a check that is cancelled leaves the item as it was', async () => {
  const { ben, itemId } = await received();
  const { items, swarm } = ben.session;
  const { infoHash } = items.row(itemId);
  swarm.onHash = async (signal) => {
    await items.setPaused(itemId, true, noSignal);
    signal.throwIfAborted();
  };
  await expect(items.recheck(itemId, noSignal)).rejects.toMatchObject({ code: 'cancelled' });
  expect(items.row(itemId)).toMatchObject({ state: 'complete', paused: false });
  expect(swarm.torrents.has(infoHash)).toBe(true);
});

test('while an item is checked its bytes read are told', async () => {
  const { ben, itemId } = await received();
  const { items, swarm } = ben.session;
  let told: number | null = null;
  swarm.onHash = async () => {
    told = items.checked(itemId);
  };
  await items.recheck(itemId, noSignal);
  expect(told).toBeGreaterThan(0);
  expect(items.checked(itemId)).toBeNull();
});

test('who shared an item finds that the original was edited', async () => {
  const { ana, itemId } = await sharedFilm();
  await ana.session.items.recheck(itemId, noSignal);
  expect(ana.session.items.row(itemId).state).toBe('changed');
});
