import { expect, test } from 'vitest';
import { noSignal } from '../../test/sim/sim-world.ts';
import { sharedFilm } from '../../test/sim/received-item.ts';
import { toUtf8 } from '../base/bytes.ts';
import { systemRandom } from '../base/random.ts';
import type { ManifestFile } from '../spheres/protocol/manifest.ts';
import { generateSigningKey } from '../spheres/protocol/keys.ts';
import { probeOf } from './file-probe.ts';
import { viewItem, viewItems } from './item-view.ts';
import { playability } from '../player/playability.ts';

const file: ManifestFile = {
  path: ['film.mp4'],
  type: 'video/mp4',
  bytes: 1000,
  mtimeMs: 0,
  headSha256: '0'.repeat(64),
  tailSha256: '0'.repeat(64),
  probe: {
    container: 'video/mp4',
    codecs: ['video:h264', 'audio:aac', 'data:bin', 'nonsense'],
    width: 320,
    height: 180,
    durationMs: 2000,
    index: [{ offset: 900, length: 100 }],
  },
};

test('what the sharer found in a file is read back as a probe', () => {
  expect(probeOf(file)).toEqual({
    kind: 'video',
    type: 'video/mp4',
    durationMs: 2000,
    width: 320,
    height: 180,
    streams: [
      { kind: 'video', codec: 'h264' },
      { kind: 'audio', codec: 'aac' },
      { kind: 'other', codec: 'bin' },
    ],
    indexRanges: [{ from: 900, to: 1000 }],
  });
});

test('a film of codecs the page decodes plays here, one of others elsewhere', () => {
  expect(playability(probeOf(file))).toBe('here');
  const codecs = ['video:hevc', 'audio:ac3'];
  expect(playability(probeOf({ ...file, probe: file.probe && { ...file.probe, codecs } }))).toBe('elsewhere');
});

test('a file nobody looked into is judged by its name alone', () => {
  expect(probeOf({ ...file, path: ['notes'], type: 'application/octet-stream', probe: null })).toMatchObject({
    kind: 'other',
    streams: [],
    durationMs: null,
  });
});

test('copies are those of members: the sharer’s, and of whoever was seen with all of it', async () => {
  const { ana, ben, itemId, world } = await sharedFilm();
  const copies = (person: typeof ana): number | undefined => {
    const { storage, items, source, names } = person.session;
    return viewItem({ storage, items, source, names }, person.session.sphere(), items.row(itemId))?.copies;
  };
  expect([copies(ana), copies(ben)]).toEqual([0, 1]);
  const { holders } = ana.session.storage;
  holders.add(itemId, ben.session.identity.device.id);
  holders.add(itemId, generateSigningKey<never>(systemRandom).id);
  expect(copies(ana)).toBe(1);
  await ana.session.members.remove(ana.session.sphere().id, ben.jid, noSignal);
  await world.quiet();
  expect(copies(ana)).toBe(0);
});

test('an item shows its sharer, its files and its state, and never more bytes than it has', async () => {
  const { ben, ana, itemId } = await sharedFilm();
  const { storage, items, source, names } = ben.session;
  storage.items.update(itemId, { bytesHave: 10_000_000 });
  expect(viewItem({ storage, items, source, names }, ben.session.sphere(), items.row(itemId))).toMatchObject({
    from: ana.jid,
    mine: false,
    kind: 'other',
    bytes: 5000,
    bytesHave: 5000,
    previewUrl: null,
    files: [{ index: 0, name: 'beach.mp4', bytes: 5000 }],
  });
});

test('an item is shown among all others as it is shown alone', async () => {
  const { ana, ben, itemId } = await sharedFilm();
  ana.session.storage.holders.add(itemId, ben.session.identity.device.id);
  for (const { session } of [ana, ben]) {
    const alone = viewItem(session.shown, session.sphere(), session.items.row(itemId));
    expect(alone?.copies).toBe(1);
    expect(viewItems(session.shown, session.sphere())).toEqual([alone]);
  }
});

test('the files of an item are one list as long as nothing of them changes', async () => {
  const { ben, itemId } = await sharedFilm();
  const { storage, items } = ben.session;
  const files = () => viewItem(ben.session.shown, ben.session.sphere(), items.row(itemId))?.files;
  const before = files();
  storage.items.update(itemId, { bytesHave: 10 });
  expect(files()).toBe(before);
  storage.items.update(itemId, { state: 'complete' });
  expect(files()).toMatchObject([{ name: 'beach.mp4', isHere: true }]);
  storage.items.update(itemId, { state: 'downloading' });
  expect(files()).toEqual(before);
});

test('an item whose list of files breaks the rules is shown, hides no other, and is not fetched', async () => {
  const { ben, itemId, world } = await sharedFilm();
  const { session } = ben;
  // As its author announced it: only the rules for lists tell that it is none.
  session.storage.attachments.put({ eventId: itemId as never, kind: 'manifest', bytes: toUtf8('{"files":[],"v":1}') });
  expect(viewItem(session.shown, session.sphere(), session.items.row(itemId))).toMatchObject({ name: 'beach.mp4' });
  session.items.get(itemId);
  await world.quiet();
  await expect.poll(() => session.items.row(itemId).state).toBe('failed');
  expect(session.swarm.torrents.size).toBe(0);
});
