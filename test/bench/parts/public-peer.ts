import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { silentLogger } from '../../../src/base/log.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { systemClock } from '../../../src/base/system-clock.ts';
import type { Segment } from '../../../src/contract/swarm.ts';
import { fullBitfield } from '../../../src/spheres/piece-map.ts';
import { PublicHost } from '../../../src/swarm/public-host.ts';
import { readIdentity } from '../../../src/torrent/file-identity.ts';
import { FilePool } from '../../../src/torrent/file-pool.ts';
import { systemResolve } from '../../../src/torrent/guarded-lookup.ts';
import { TokenBucket } from '../../../src/torrent/limits.ts';
import { OpenConnections } from '../../../src/torrent/open-connections.ts';
import { pieceCount } from '../../../src/torrent/metainfo.ts';
import { PieceThreads } from '../../../src/torrent/piece-threads.ts';
import { parsePublicMetainfo } from '../../../src/torrent/public-metainfo.ts';
import { PieceTags } from '../../../src/torrent/piece-tags.ts';

/**
 * One end of a public torrent: `public-peer.ts seed|leech TORRENT FOLDER`. Prints "ready", begins when a line comes in, and
 * prints the milliseconds when everything is here. It may call this computer, which the product does not.
 */
const [mode, torrentPath = '', folder = ''] = process.argv.slice(2);
const bytes = new Uint8Array(await readFile(torrentPath));
const metainfo = parsePublicMetainfo(bytes);
const isSeed = mode === 'seed';
const threads = new PieceThreads();
const bucket = () => new TokenBucket({ clock: systemClock, rate: 0 });
const host = new PublicHost({
  clock: systemClock,
  random: systemRandom,
  log: silentLogger,
  policy: () => true,
  resolve: systemResolve,
  resources: {
    files: new FilePool(),
    crypto: threads,
    tags: new PieceTags(systemRandom),
    bucketsOf: () => ({ up: bucket(), down: bucket(), connections: new OpenConnections(), isHeldBack: false }),
  },
  isOfSphere: () => false,
  addresses: ['127.0.0.1'],
  portMapping: null,
  onChange: (_torrent, change) => {
    if (change.kind === 'complete' && !isSeed)
      process.stdout.write(`${performance.now() - start}
`);
  },
  onRemoved: () => undefined,
});
let start = 0;
const segments = await Promise.all(
  metainfo.files.map(async ({ path, length, offset }): Promise<Segment> => {
    const place = join(folder, ...path);
    const identity = isSeed ? await readIdentity(place) : null;
    return { kind: 'file', offset, length, path: place, root: isSeed ? null : folder, identity };
  }),
);
await warmUp();
process.stdout.write('ready\n');
process.stdin.once('data', () => {
  start = performance.now();
  setInterval(() => host.tick(), 1000);
  const { infoHash } = metainfo;
  const bitfield = isSeed ? fullBitfield(pieceCount(metainfo)) : null;
  void host.addAll([
    { infoHash, metainfo: bytes, mediaKey: null, segments, bitfield, paused: false, background: true },
  ]);
});

/** A swarm process has its libraries and threads from its first item on, as the other programs have when they are ready. */
async function warmUp(): Promise<void> {
  await Promise.all([import('webtorrent'), import('bittorrent-protocol')]);
  const piece = new Uint8Array(new SharedArrayBuffer(metainfo.pieceLength));
  const what = { kind: 'unlock', from: piece, into: piece, offset: 0, digested: true, key: null } as const;
  const work = (): Promise<unknown> => threads.run({ ...what, plainKey: new Uint8Array(32) });
  while (threads.ready < Math.min(2, availableParallelism())) {
    await Promise.all([work(), work(), work()]);
    await sleep(10);
  }
}
