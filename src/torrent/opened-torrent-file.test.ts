import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { buildMetainfo } from './metainfo.ts';
import { openedTorrentFile } from './opened-torrent-file.ts';
import { parsePublicMetainfo } from './public-metainfo.ts';

test('the .torrent file of an open item is the same torrent, and names our own trackers in their order', () => {
  const shape = { length: 40_000, pieceLength: 16_384, pieces: new Uint8Array(randomBytes(60)) };
  const { metainfo, infoHash } = buildMetainfo(shape);
  const torrent = openedTorrentFile(metainfo, ['192.0.2.7:6881', '[2001:db8::7]:6881']);
  expect(parsePublicMetainfo(torrent)).toEqual({
    ...shape,
    infoHash,
    name: 'data',
    root: 'file',
    files: [{ path: ['data'], length: 40_000, offset: 0 }],
    // No program looks for it at strangers.
    isPrivate: true,
    nodes: [],
    trackers: ['http://192.0.2.7:6881/announce', 'http://[2001:db8::7]:6881/announce'],
  });
});
