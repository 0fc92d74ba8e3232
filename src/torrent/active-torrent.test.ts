import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { SharedItem } from '../../test/fixtures/shared-item.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { Clock } from '../base/clock.ts';
import { parseDeviceKey, parseSphereId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemClock } from '../base/system-clock.ts';
import { ActiveTorrent } from './active-torrent.ts';
import { TorrentClient } from './client.ts';
import { TokenBucket } from './limits.ts';
import { buildMetainfo } from './metainfo.ts';
import { PieceBuffers } from './piece-buffers.ts';
import { sameThread } from './piece-crypto.ts';
import type { TorrentSpec } from './torrent-spec.ts';

const PIECE = 16 * 1024;
const sphereId = parseSphereId('1'.repeat(64));
const anna = parseDeviceKey('a'.repeat(64));
const ben = parseDeviceKey('b'.repeat(64));

/** One end, with a torrent client of its own. */
class End implements AsyncDisposable {
  readonly torrent: ActiveTorrent;
  readonly #stack = new AsyncDisposableStack();

  private constructor(item: SharedItem, clock: Clock, client: TorrentClient, part: Partial<TorrentSpec>) {
    this.#stack.use(client);
    const buckets = { up: new TokenBucket({ clock, rate: 0 }), down: new TokenBucket({ clock, rate: 0 }) };
    for (const bucket of Object.values(buckets)) this.#stack.use(bucket);
    const whole = { bitfield: null, paused: false, background: true, segments: item.receiverSegments(), ...part };
    this.torrent = this.#stack.use(
      new ActiveTorrent({
        spec: { ...buildMetainfo(item.shape), sphereId, mediaKey: item.mediaKey, ...whole },
        client,
        clock,
        files: item.pool,
        pieces: { crypto: sameThread, plain: new PieceBuffers(), sealed: new PieceBuffers() },
        buckets: { ...buckets, connections: { open: 0 } },
        checkMs: () => 30_000,
        random: Math.random,
        log: silentLogger,
        onChange: () => undefined,
        onBadPiece: () => undefined,
      }),
    );
  }

  static async start(item: SharedItem, clock: Clock, part: Partial<TorrentSpec> = {}): Promise<End> {
    const end = new End(item, clock, new TorrentClient({ log: silentLogger }), part);
    await end.torrent.start();
    return end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

async function join(from: ActiveTorrent, to: ActiveTorrent): Promise<void> {
  const server = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const taken = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const { port } = server.address() as AddressInfo;
  const calling = connect(port, '127.0.0.1');
  const answering = await taken;
  server.close();
  const route = { path: 'lan', address: `127.0.0.1:${port}` } as const;
  for (const stream of [calling, answering]) stream.on('error', () => undefined);
  from.connect(answering, { device: ben, route, weDialled: false });
  to.connect(calling, { device: anna, route, weDialled: true });
}

test('of an item of which one file is wanted, that file comes with two pieces more at most, and is served', async () => {
  const files = ['a', 'b', 'c'].map((name) => ({ name: `${name}.jpg`, content: randomBytes(100_000) }));
  await using item = await SharedItem.make({ pieceLength: PIECE, padding: 0, manifest: randomBytes(50), files });
  const bitfield = new Uint8Array(Math.ceil(item.pieceCount / 8)).fill(0xff);
  await using sharer = await End.start(item, systemClock, { segments: item.segments, bitfield });
  const middle = item.segments[1];
  const from = middle?.offset ?? 0;
  await using receiver = await End.start(item, systemClock, { wanted: [{ from, to: from + 100_000 }] });
  await join(sharer.torrent, receiver.torrent);
  const { torrent } = receiver;
  await expect.poll(() => torrent.state.state, { timeout: 20_000 }).toBe('partial');
  expect(Buffer.compare(await readFile(item.received('b.jpg')), files[1]?.content ?? Buffer.of())).toBe(0);
  expect(torrent.bytesHave).toBeLessThanOrEqual(100_000 + 2 * PIECE);
  expect([torrent.serves, torrent.appetite, torrent.idle]).toEqual([true, 'none', null]);
});

test('a full copy is given up for an idle one when nobody was connected for ten seconds', async () => {
  const content = randomBytes(200_000);
  const files = [{ name: 'film.mp4', content }];
  await using item = await SharedItem.make({ pieceLength: PIECE, padding: 0, manifest: randomBytes(50), files });
  const bitfield = new Uint8Array(Math.ceil(item.pieceCount / 8)).fill(0xff);
  const clock = new VirtualClock(0);
  await using sharer = await End.start(item, clock, { segments: item.segments, bitfield });
  const { torrent } = sharer;
  const whole = { state: 'complete', bytesHave: item.shape.length, peers: 0 };
  expect(torrent.state).toMatchObject(whole);
  expect([torrent.serves, torrent.appetite]).toEqual([true, 'lazy']);

  await using receiver = await End.start(item, systemClock);
  await join(torrent, receiver.torrent);
  await expect.poll(() => receiver.torrent.state.state, { timeout: 20_000 }).toBe('complete');
  expect(Buffer.compare(await readFile(item.received('film.mp4')), content)).toBe(0);
  expect(torrent.idle).toBeNull();
  await clock.advance(60_000);
  await expect.poll(() => torrent.links.length, { timeout: 20_000 }).toBe(0);

  await clock.advance(5_000);
  torrent.tick();
  expect(torrent.idle).toBeNull();
  await clock.advance(10_000);
  torrent.tick();
  expect(torrent.idle).toMatchObject({ bitfield: torrent.bitfield, segments: item.segments, paused: false });
});
