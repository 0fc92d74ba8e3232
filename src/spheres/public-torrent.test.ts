import { randomBytes } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SimPerson } from '../../test/sim/sim-world.ts';
import { noSignal, SimWorld } from '../../test/sim/sim-world.ts';
import { errorCode } from '../base/errors.ts';
import type { ItemId } from '../base/id.ts';
import { encode } from '../torrent/bencode/bencode.ts';
import { fullBitfield } from './piece-map.ts';

const PIECE = 16_384;

/** A .torrent file of a folder with names that no disk should take as they are. */
function torrentOf(files: readonly { length: number; path: string[] }[], name = 'Album'): Uint8Array {
  const bytes = files.reduce((sum, { length }) => sum + length, 0);
  const pieces = new Uint8Array(randomBytes(Math.ceil(bytes / PIECE) * 20));
  const info = { files, name, 'piece length': PIECE, pieces };
  return encode({ announce: 'http://tracker.example/announce', info });
}

const ALBUM = torrentOf([
  { length: 20_000, path: ['..', '..', 'one.jpg'] },
  { length: 0, path: ['empty.txt'] },
  { length: 30_000, path: ['CON', 'two.jpg'] },
]);

async function couple(): Promise<{ world: SimWorld; ana: SimPerson; ben: SimPerson }> {
  const world = new SimWorld();
  const [ana, ben] = [await world.person('ana'), await world.person('ben')];
  await world.sphere(ana, ben);
  return { world, ana, ben };
}

async function share({ session, folder }: SimPerson, bytes: Uint8Array, name = 'album.torrent'): Promise<ItemId> {
  const path = join(folder.folder, name);
  await writeFile(path, bytes);
  const request = { sphereId: session.sphere().id, paths: [path], plain: false };
  const [itemId] = await session.shares.share(request, noSignal);
  if (itemId === undefined) throw new Error('nothing was shared');
  return itemId;
}

const toldOf = ({ session }: SimPerson, name: string) => session.swarm.told.filter((one) => one.name === name);

test('a dropped .torrent is listed for everybody as it is, and nobody takes part in it', async () => {
  const { world, ana, ben } = await couple();
  const itemId = await share(ana, ALBUM);
  await world.quiet();
  for (const { session } of [ana, ben]) {
    expect(session.items.row(itemId)).toMatchObject({ state: 'listed', wanted: false, layout: null });
    expect(session.swarm.torrents.size).toBe(0);
    const event = session.source.event(session.sphere(), itemId);
    expect(event).toMatchObject({ type: 'torrent', body: { name: 'Album', bytes: 50_000, fileCount: 3, plain: true } });
    expect(session.source.knownManifest(event)?.files.map(({ bytes }) => bytes)).toEqual([20_000, 0, 30_000]);
  }
  const line = ben.session.storage.messages.get(itemId as never);
  expect(line).toMatchObject({ kind: 'item', text: '📁 Album · 50.0 kB' });
});

test('it begins only when a person says yes to strangers, and then in the client for those alone', async () => {
  const { world, ana, ben } = await couple();
  const itemId = await share(ana, ALBUM);
  await world.quiet();
  for (const { session } of [ana, ben]) {
    expect(() => session.items.get(itemId)).toThrow(expect.objectContaining({ code: 'strangers-see' }));
  }
  ben.session.items.get(itemId, null, true);
  await ben.session.items.placed(itemId, noSignal);
  await world.quiet();
  expect([toldOf(ben, 'addPublic').length, toldOf(ben, 'addAll').length]).toEqual([1, 0]);
  expect([toldOf(ana, 'addPublic').length, toldOf(ana, 'addAll').length]).toEqual([0, 0]);
  const row = ben.session.items.row(itemId);
  const { folder } = ben.session.sphere().row;
  const paths = (row.layout ?? []).map((part) => (part.kind === 'file' ? part.path : ''));
  expect(paths.every((path) => path.startsWith(join(folder, 'Album')) && !path.includes('..'))).toBe(true);
  expect((row.layout ?? []).map(({ offset }) => offset)).toEqual([0, 20_000, 20_000]);
});

test('after a restart it goes on where it was, without being asked again', async () => {
  const { world, ana, ben } = await couple();
  const itemId = await share(ana, ALBUM);
  await world.quiet();
  ben.session.items.get(itemId, null, true);
  await ben.session.items.placed(itemId, noSignal);
  await world.quiet();
  const { infoHash } = ben.session.items.row(itemId);
  await ben.stop();
  await ben.start();
  await world.quiet();
  expect(ben.session.swarm.torrents.get(infoHash)).toMatchObject({ infoHash, paused: false });
  expect(toldOf(ben, 'addAll')).toEqual([]);
});

test('what came of it is complete without anything of the sphere to compare it with, and removed like all else', async () => {
  const { world, ana, ben } = await couple();
  const itemId = await share(ana, ALBUM);
  await world.quiet();
  const { items, swarm } = ben.session;
  items.get(itemId, null, true);
  await items.placed(itemId, noSignal);
  await world.quiet();
  const { infoHash } = items.row(itemId);
  swarm.emit({ kind: 'have', infoHash, bitfield: fullBitfield(4), bytesHave: 50_000, identities: null });
  swarm.say(infoHash, 'complete');
  await world.until(() => items.row(itemId).state === 'complete');
  expect(items.row(itemId)).toMatchObject({ state: 'complete', bytesHave: 50_000 });
  await items.remove(itemId, 'delete', noSignal);
  expect(swarm.torrents.size).toBe(0);
  expect(await readdir(ben.session.sphere().row.folder)).not.toContain('Album');
});

test('a list of files that is too long for a message is given to members who ask', async () => {
  const { world, ana, ben } = await couple();
  const files = Array.from({ length: 900 }, (_, number) => ({ length: 1_000, path: [`photo number ${number}.jpg`] }));
  const bytes = torrentOf(files);
  expect(bytes.length).toBeGreaterThan(24 * 1024);
  const itemId = await share(ana, bytes);
  await world.quiet();
  const { infoHash } = ana.session.items.row(itemId);
  await ana.stop();
  await ana.start();
  await world.quiet();
  expect(toldOf(ana, 'offerMetainfo')).toMatchObject([{ input: { infoHash, metainfo: bytes } }]);
  ben.session.swarm.answers.fetchMetainfo = () => ({ metainfo: bytes });
  ben.session.items.get(itemId, null, true);
  await ben.session.items.placed(itemId, noSignal);
  await world.quiet();
  expect(toldOf(ben, 'offerMetainfo')).toHaveLength(1);
  expect(ben.session.items.row(itemId).layout).toHaveLength(900);
});

test.each([
  [
    'of version 2 alone',
    encode({ info: { 'meta version': 2, name: 'x', 'piece length': PIECE } }),
    'torrent-version-2',
  ],
  ['that is none', new TextEncoder().encode('not a torrent'), 'invalid-torrent'],
])('a file %s is refused and nothing is told', async (_, bytes, code) => {
  const { world, ana, ben } = await couple();
  expect(await share(ana, bytes).catch(errorCode)).toBe(code);
  await world.quiet();
  expect([...ana.session.sphere().state.items, ...ben.session.sphere().state.items]).toEqual([]);
});

test('the same torrent is listed once', async () => {
  const { world, ana } = await couple();
  await share(ana, ALBUM);
  await world.quiet();
  expect(await share(ana, ALBUM, 'again.torrent').catch(errorCode)).toBe('conflict');
});
