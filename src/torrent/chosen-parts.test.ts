import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { RefusingDisk } from '../../test/fixtures/refusing-disk.ts';
import { SharedItem } from '../../test/fixtures/shared-item.ts';
import { fastClock, join, TorrentEnd, whole } from '../../test/fixtures/torrent-end.ts';
import { systemClock } from '../base/system-clock.ts';

const PIECE = 16 * 1024;
const BYTES = 100_000;
/** Neighbours share pieces: no file ends where a piece does. */
const FILES = ['a', 'b', 'c'].map((name) => ({ name: `${name}.jpg`, content: randomBytes(BYTES) }));
const item = () => SharedItem.make({ pieceLength: PIECE, padding: 0, manifest: randomBytes(50), files: FILES });
const CHOSEN = { wanted: [{ from: BYTES, to: 2 * BYTES }] };

test('a chosen file that is gone at the start is told of before the state, and comes again', async () => {
  await using three = await item();
  await using sharer = await TorrentEnd.start(three, systemClock, whole(three));
  let { told }: Pick<TorrentEnd, 'told'> = { told: null };
  {
    await using first = await TorrentEnd.start(three, systemClock, CHOSEN);
    await join(sharer.torrent, first.torrent);
    await expect.poll(() => first.torrent.state.state).toBe('partial');
    told = first.told;
  }
  for (const name of ['a', 'b', 'c']) await rm(three.received(`${name}.jpg`));
  const known = { ...CHOSEN, bitfield: told, synced: CHOSEN.wanted };
  await using next = await TorrentEnd.start(three, systemClock, known);
  expect(next.told).toEqual(new Uint8Array(told?.length ?? 0));
  expect(next.kinds.indexOf('have')).toBeLessThan(next.kinds.indexOf('state'));
  expect([next.torrent.state.state, next.torrent.isAsTold]).toEqual(['downloading', false]);
  await join(sharer.torrent, next.torrent);
  await expect.poll(() => next.torrent.state.state).toBe('partial');
});

test('the parts of neighbours that came with a chosen file are put on the disk with it', async () => {
  await using three = await item();
  await using disk = new RefusingDisk({ from: 0, to: 0 }, 'ENOSPC', (path) => basename(path) !== 'b.jpg');
  await using sharer = await TorrentEnd.start(three, systemClock, whole(three));
  await using receiver = await TorrentEnd.start(three, fastClock, CHOSEN, disk);
  await join(sharer.torrent, receiver.torrent);
  await expect.poll(() => receiver.torrent.state.state).toBe('partial');
  expect(Array.from(disk.synced, (path) => basename(path)).toSorted()).toEqual(['a.jpg', 'b.jpg', 'c.jpg']);
  // The disk did not take the neighbours first: of them only what is here was read back and written anew.
  expect(receiver.states).toEqual(['downloading', 'disk-full', 'downloading', 'partial']);
  expect(receiver.torrent.bytesHave).toBeLessThanOrEqual(BYTES + 2 * PIECE);
});
