import { createHash, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { SharedItem } from '../../test/fixtures/shared-item.ts';
import { join, TorrentEnd, whole } from '../../test/fixtures/torrent-end.ts';
import { systemClock } from '../base/system-clock.ts';
import { MEMBERS, WebtorrentInside } from './webtorrent-inside.ts';

const MIB = 1024 * 1024;
const SOON = { timeout: 20_000 };
const stock = new WebtorrentInside({ ...MEMBERS, wire: [...MEMBERS.wire, '_gone'] });
const fast = new WebtorrentInside();

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const film = (bytes: number) => [{ name: 'film.mp4', content: randomBytes(bytes) }];

test.each([
  ['both are without the inside of webtorrent', stock, stock],
  ['the receiver is', fast, stock],
  ['the sharer is', stock, fast],
])('an encrypted item of 20 MiB arrives whole when %s', async (_, from, to) => {
  const files = film(20 * MIB - 12_345);
  await using item = await SharedItem.make({ pieceLength: MIB / 4, padding: 77, manifest: randomBytes(50), files });
  await using sharer = await TorrentEnd.start(item, systemClock, whole(item), item.pool, from);
  await using receiver = await TorrentEnd.start(item, systemClock, {}, item.pool, to);
  await join(sharer.torrent, receiver.torrent);
  await expect.poll(() => receiver.torrent.state.state, SOON).toBe('complete');
  expect(sha256(await readFile(item.received('film.mp4')))).toBe(sha256(files[0]?.content ?? Buffer.of()));
  expect(receiver.torrent.identities).toHaveLength(1);
  expect([sharer.bad, receiver.bad]).toEqual([[], []]);
});
