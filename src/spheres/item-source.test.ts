import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bitfieldOf } from '../../test/fixtures/bitfield-of.ts';
import type { SimPerson } from '../../test/sim/sim-world.ts';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import type { InfoHash } from '../base/id.ts';
import { viewFilesFrom } from '../engine/item-files.ts';
import { viewItem } from '../engine/item-view.ts';
import { buildMetainfo } from '../torrent/metainfo.ts';
import type { FedTorrent } from './fed-torrent.ts';
import type { ItemEvent } from './protocol/event.ts';
import { encodeManifest, MAX_MANIFEST_BYTES } from './protocol/manifest.ts';

/** A folder whose list of files is too long to travel beside its event. */
async function longFolder(files = 40) {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  const folder = join(ana.folder.folder, 'album');
  await mkdir(folder);
  for (let number = 0; number < files; number += 1) await writeFile(join(folder, `photo ${number}.jpg`), `${number}`);
  const input = { sphereId: ana.session.sphere().id, paths: [folder], plain: false };
  const [itemId] = await ana.session.shares.share(input, noSignal);
  await world.quiet();
  if (itemId === undefined) throw new Error('nothing was shared');
  const event = ben.session.source.event(ben.session.sphere(), itemId);
  const manifest = ana.session.source.manifestBytes(itemId) ?? new Uint8Array();
  return { world, ana, ben, itemId, event, manifest };
}

/** Ben's swarm has fetched the pieces that hold `bytes` as the list of files. */
async function fetched({ session }: SimPerson, event: ItemEvent, bytes: Uint8Array): Promise<FedTorrent> {
  const { infoHash, manifest, pieceLength } = event.body;
  await expect.poll(() => session.swarm.torrents.has(infoHash)).toBe(true);
  const spec = specOf(session, infoHash);
  const [segment] = spec.segments;
  if (segment?.kind !== 'file') throw new Error('the list is fetched into a file');
  const offset = (manifest.offset ?? 0) - segment.offset;
  const content = new Uint8Array(segment.length);
  content.set(bytes, offset);
  await writeFile(segment.path, content);
  const last = Math.floor(((manifest.offset ?? 0) + manifest.length) / pieceLength);
  const first = Math.floor((manifest.offset ?? 0) / pieceLength);
  const bitfield = bitfieldOf(last + 1, first, last);
  session.swarm.emit({ kind: 'have', infoHash, bitfield, bytesHave: 0, identities: null });
  return spec;
}

function specOf(session: SimPerson['session'], infoHash: InfoHash): FedTorrent {
  const spec = session.swarm.torrents.get(infoHash);
  if (spec === undefined) throw new Error('the swarm was not asked');
  return spec;
}

test('a long list of files is fetched by the pieces that hold it alone, and leaves nothing behind', async () => {
  const { ben, event, manifest } = await longFolder();
  expect(manifest.length).toBeGreaterThan(4096);
  expect(ben.session.source.knownManifest(event)).toBeUndefined();
  const found = ben.session.source.manifest(ben.session.sphere(), event, noSignal);
  const spec = await fetched(ben, event, manifest);
  expect((await found).files).toHaveLength(40);
  expect(spec).toMatchObject({ background: false, bitfield: null });
  const asked = ben.session.swarm.told.find(({ name }) => name === 'window');
  expect(asked?.input).toMatchObject({ from: event.body.manifest.offset });
  expect(ben.session.swarm.torrents.size).toBe(0);
  expect(await readdir(join(ben.folder.folder, 'scratch'))).toEqual([]);
  expect(ben.session.source.knownManifest(event)?.files[0]?.path).toEqual(['photo 0.jpg']);
  // It is here now: nobody is asked again.
  const told = ben.session.swarm.told.length;
  await ben.session.source.manifest(ben.session.sphere(), event, noSignal);
  expect(ben.session.swarm.told).toHaveLength(told);
});

test('a list of files that is not the one announced is refused', async () => {
  const { ben, event, manifest } = await longFolder();
  const found = ben.session.source.manifest(ben.session.sphere(), event, noSignal);
  found.catch(() => undefined);
  await fetched(ben, event, manifest.toReversed());
  await expect(found).rejects.toMatchObject({ code: 'forged' });
  expect(ben.session.source.knownManifest(event)).toBeUndefined();
  expect(ben.session.swarm.torrents.size).toBe(0);
});

test('pieces that came for the list alone are not taken for pieces of the item', async () => {
  const { world, ben, itemId, event, manifest } = await longFolder();
  ben.session.items.get(itemId);
  await fetched(ben, event, manifest);
  await ben.session.items.placed(itemId, noSignal);
  await world.quiet();
  expect(ben.session.items.row(itemId)).toMatchObject({ state: 'downloading', bitfield: null });
  expect(specOf(ben.session, event.body.infoHash)).toMatchObject({ background: true, bitfield: null });
});

test('an item without a key and one with a key that does not fit wait for the right one', async () => {
  const { ben, event } = await longFolder();
  const sphere = ben.session.sphere();
  const { source, storage } = ben.session;
  const wrapped = storage.attachments.get(event.id, 'media-key') ?? new Uint8Array();
  storage.attachments.put({ eventId: event.id, kind: 'media-key', bytes: wrapped.toReversed() });
  expect(() => source.mediaKey(sphere, event)).toThrow(expect.objectContaining({ code: 'cannot-encrypt' }));
  storage.attachments.remove(event.id, 'media-key');
  expect(() => source.mediaKey(sphere, event)).toThrow(expect.objectContaining({ code: 'cannot-encrypt' }));
});

test('a metainfo that is not beside its event is asked of members and checked', async () => {
  const { ben, ana, event } = await longFolder();
  const sphere = ben.session.sphere();
  const genuine = ana.session.storage.attachments.get(event.id, 'metainfo') ?? new Uint8Array();
  ben.session.storage.attachments.remove(event.id, 'metainfo');
  await expect(ben.session.source.metainfo(sphere, event, noSignal)).rejects.toMatchObject({ code: 'disconnected' });
  ben.session.swarm.answers.fetchMetainfo = () => ({ metainfo: genuine.toReversed() });
  await expect(ben.session.source.metainfo(sphere, event, noSignal)).rejects.toMatchObject({ code: 'forged' });
  ben.session.swarm.answers.fetchMetainfo = () => ({ metainfo: genuine });
  expect(await ben.session.source.metainfo(sphere, event, noSignal)).toEqual(genuine);
  expect(ben.session.storage.attachments.get(event.id, 'metainfo')).toEqual(genuine);
});

test('a list of files longer than any may be is not fetched', async () => {
  const { ben, event } = await longFolder();
  const { manifest } = event.body;
  const lying = { ...event, body: { ...event.body, manifest: { ...manifest, length: MAX_MANIFEST_BYTES + 1 } } };
  const told = ben.session.swarm.told.length;
  const found = ben.session.source.manifest(ben.session.sphere(), lying, noSignal);
  await expect(found).rejects.toMatchObject({ code: 'too-large' });
  expect(ben.session.swarm.told).toHaveLength(told);
});

test('a metainfo with other pieces than its event announced is refused, wherever it comes from', async () => {
  const { ben, event } = await longFolder();
  const { source, storage, swarm } = ben.session;
  const sphere = ben.session.sphere();
  const lying = { ...event, body: { ...event.body, pieceLength: event.body.pieceLength * 2 } };
  await expect(source.metainfo(sphere, lying, noSignal)).rejects.toMatchObject({ code: 'invalid-torrent' });
  const genuine = storage.attachments.get(event.id, 'metainfo') ?? new Uint8Array();
  storage.attachments.remove(event.id, 'metainfo');
  swarm.answers.fetchMetainfo = () => ({ metainfo: genuine });
  await expect(source.metainfo(sphere, lying, noSignal)).rejects.toMatchObject({ code: 'invalid-torrent' });
  expect(storage.attachments.get(event.id, 'metainfo')).toBeUndefined();
});

test('an item of larger pieces than any writer makes is refused: each connection may hold some in memory', async () => {
  const { ben, event } = await longFolder();
  const { source, storage } = ben.session;
  const pieceLength = 2 ** 26;
  const ofPieces = (count: number) => {
    const pieces = new Uint8Array(count * 20);
    const { metainfo, infoHash } = buildMetainfo({ length: count * pieceLength, pieceLength, pieces });
    storage.attachments.put({ eventId: event.id, kind: 'metainfo', bytes: metainfo });
    const big = { ...event, body: { ...event.body, infoHash, pieceLength } };
    return source.metainfo(ben.session.sphere(), big, noSignal);
  };
  await expect(ofPieces(30)).rejects.toMatchObject({ code: 'invalid-torrent', details: { pieceLength } });
  // Six terabytes have such pieces by the rule.
  expect((await ofPieces(90_000)).length).toBeGreaterThan(1_800_000);
});

test('an item that is not in force is no item', async () => {
  const { ben } = await longFolder();
  const sphere = ben.session.sphere();
  const [genesis] = sphere.log.events();
  expect(() => ben.session.source.event(sphere, 'f'.repeat(64) as never)).toThrow(/no such item/);
  expect(() => ben.session.source.event(sphere, genesis?.id as never)).toThrow(/no such item/);
});

test('an item of very many files is shown by the first of them, and its list is read when somebody looks at the others', async () => {
  const { ana, itemId, event } = await longFolder(600);
  const { session } = ana;
  const view = viewItem(session.shown, session.sphere(), session.items.row(itemId));
  expect(view).toMatchObject({ fileCount: 600, filesHere: 600 });
  expect(view?.files.map(({ index }) => index)).toEqual(Array.from({ length: 500 }, (_, index) => index));
  const manifest = session.source.knownManifest(event);
  expect(manifest?.files).toHaveLength(600);
  const page = { pieceLength: event.body.pieceLength, from: 590, most: 100 };
  const others = viewFilesFrom(manifest ?? { files: [] }, session.items.row(itemId), page);
  expect(others.map(({ index, name }) => [index, name])).toEqual(
    manifest?.files.slice(590).map(({ path }, index) => [590 + index, path.join('/')]),
  );
  // Shown as before, whatever was read meanwhile.
  expect(viewItem(session.shown, session.sphere(), session.items.row(itemId))?.files).toBe(view?.files);
});

test('a list that is far longer than its item announced is not read as a whole each time the item is shown', async () => {
  const { ben, event } = await longFolder();
  const { source, storage } = ben.session;
  const sha256 = 'a'.repeat(64);
  const file = { type: '', bytes: 1, mtimeMs: 0, headSha256: sha256, tailSha256: sha256, probe: null };
  const bytes = encodeManifest({
    files: Array.from({ length: 8000 }, (_, index) => ({ ...file, path: [`${index}`] })),
  });
  storage.attachments.put({ eventId: event.id, kind: 'manifest', bytes });
  if (event.type !== 'item') throw new Error('it was shared here');
  const manifest = { ...event.body.manifest, length: bytes.length };
  const lying: ItemEvent = { ...event, body: { ...event.body, fileCount: 1, manifest } };
  expect(source.knownBeginning(lying)?.files).toHaveLength(1);
  storage.attachments.put({ eventId: event.id, kind: 'manifest', bytes: new Uint8Array(2_000_000) });
  const broken: ItemEvent = { ...event, body: { ...event.body, manifest: { ...manifest, length: 2_000_000 } } };
  expect(source.knownManifest(broken)).toBeUndefined();
});
