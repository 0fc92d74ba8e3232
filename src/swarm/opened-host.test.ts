import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { SharedItem } from '../../test/fixtures/shared-item.ts';
import type { InfoHash } from '../base/id.ts';
import { parseDeviceKey, parseInfoHash, parseSphereId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { systemClock } from '../base/system-clock.ts';
import { TorrentClient } from '../torrent/client.ts';
import { buildMetainfo } from '../torrent/metainfo.ts';
import { PieceTags } from '../torrent/piece-tags.ts';
import { percentEncode } from '../torrent/tracker-answer.ts';
import { OpenedHost } from './opened-host.ts';
import { TorrentHost } from './torrent-host.ts';

const sphereId = parseSphereId('1'.repeat(64));
const ben = parseDeviceKey('b'.repeat(64));
const LAYOUT = {
  pieceLength: 16 * 1024,
  padding: 0,
  manifest: randomBytes(50),
  files: [{ name: 'film.mp4', content: randomBytes(100_000) }],
};
const HANDSHAKE_BYTES = 68;

class Home implements AsyncDisposable {
  readonly torrents: TorrentHost;
  readonly opened: OpenedHost;
  isBanned = false;
  readonly #stack = new AsyncDisposableStack();

  constructor() {
    const common = { clock: systemClock, log: silentLogger };
    const client = this.#stack.use(new TorrentClient(common));
    this.torrents = this.#stack.use(
      new TorrentHost({
        ...{ ...common, client, random: Math.random, device: parseDeviceKey('a'.repeat(64)) },
        limits: { up: 0, down: 0 },
        tags: new PieceTags(systemRandom),
        seeks: () => false,
        offers: () => false,
        onChange: () => undefined,
        onRemoved: () => undefined,
      }),
    );
    this.torrents.setSphere(sphereId, [], [ben]);
    this.opened = this.#stack.use(
      new OpenedHost({
        ...{ ...common, random: systemRandom, addresses: ['127.0.0.1'], portMapping: null },
        isServed: (infoHash) => this.torrents.servesPlain(infoHash),
        isBanned: () => this.isBanned,
        use: (infoHash) => this.torrents.usePlain(infoHash),
      }),
    );
  }

  async hold(item: SharedItem): Promise<InfoHash> {
    const bitfield = new Uint8Array(Math.ceil(item.pieceCount / 8)).fill(0xff);
    const whole = { segments: item.segments, bitfield, paused: false, background: true };
    const spec = { ...buildMetainfo(item.shape), ...whole, sphereId, mediaKey: item.mediaKey };
    await this.torrents.add(spec);
    return spec.infoHash;
  }

  /** Says this as a stranger. */
  call(said: Uint8Array): Socket {
    const stranger = connect(this.opened.port, '127.0.0.1');
    stranger.on('error', () => undefined);
    stranger.write(said);
    return stranger;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

const handshake = (infoHash: string): Buffer =>
  Buffer.concat([
    Buffer.from('\u0013BitTorrent protocol'),
    Buffer.alloc(8),
    Buffer.from(infoHash, 'hex'),
    randomBytes(20),
  ]);

const question = (infoHash: string): Buffer =>
  Buffer.from(
    `GET /announce?info_hash=${percentEncode(infoHash)}&port=1&compact=1 HTTP/1.1\r\nHost: 192.0.2.7:80\r\n\r\n`,
  );

/** The peer id in the first bytes that come. */
function peerIdOf(stream: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve) => {
    let heard = Buffer.alloc(0);
    stream.on('data', (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk]);
      if (heard.length >= HANDSHAKE_BYTES)
        resolve(heard.subarray(HANDSHAKE_BYTES - 20, HANDSHAKE_BYTES).toString('hex'));
    });
  });
}

/** Everything that is said until the end. */
function heardOf(stranger: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  stranger.on('data', (chunk) => chunks.push(chunk));
  return new Promise((resolve) => stranger.once('close', () => resolve(Buffer.concat(chunks).toString('latin1'))));
}

test('strangers hear nothing of a torrent that is encrypted or not open, even where it is said to be open', async () => {
  await using encrypted = await SharedItem.make(LAYOUT);
  await using closed = await SharedItem.make({ ...LAYOUT, plain: true, manifest: randomBytes(51) });
  await using film = await SharedItem.make({ ...LAYOUT, plain: true });
  await using home = new Home();
  const secret = await home.hold(encrypted);
  const notOpen = await home.hold(closed);
  const open = await home.hold(film);
  const unknown = parseInfoHash(randomBytes(20).toString('hex'));
  await home.opened.set({ infoHashes: [open, secret, unknown], port: 0 });
  for (const infoHash of [secret, notOpen, unknown]) {
    expect(await heardOf(home.call(handshake(infoHash)))).toBe('');
    expect(await heardOf(home.call(question(infoHash)))).toBe('');
  }
  expect(await heardOf(home.call(question(open)))).toContain('200 OK');
  expect(await heardOf(home.call(Buffer.from(`GET /${'a'.repeat(5000)}`)))).toBe('');
});

test('strangers are told another peer id than members, and stay when members change', async () => {
  await using film = await SharedItem.make({ ...LAYOUT, plain: true });
  await using home = new Home();
  const infoHash = await home.hold(film);
  await home.opened.set({ infoHashes: [infoHash], port: 0 });
  const strangers = [home.call(handshake(infoHash)), home.call(handshake(infoHash))];
  const [first, second] = await Promise.all(strangers.map((stranger) => peerIdOf(stranger)));
  const [ours, theirs] = duplexPair();
  const admitted = { sphereId, infoHash, purpose: 'swarm', device: ben } as const;
  const route = { path: 'lan', address: '127.0.0.1:1' } as const;
  home.torrents.connect({ stream: ours, device: ben, route, admitted }, false);
  theirs.write(handshake(infoHash));
  const told = await peerIdOf(theirs);
  expect([first === second, first === told]).toEqual([true, false]);
  const torrent = home.torrents.get(infoHash);
  expect([torrent.links.map(({ device }) => device), torrent.state.peers]).toEqual([[ben], 3]);
  home.torrents.setSphere(sphereId, [], []);
  await expect.poll(() => torrent.state.peers).toBe(2);
  expect(strangers.map(({ destroyed }) => destroyed)).toEqual([false, false]);
});

test('what is closed ends for those who were connected, and the port goes with the last and comes back the same', async () => {
  await using film = await SharedItem.make({ ...LAYOUT, plain: true });
  await using home = new Home();
  const infoHash = await home.hold(film);
  await home.opened.set({ infoHashes: [infoHash], port: 0 });
  const { port } = home.opened;
  const stranger = home.call(handshake(infoHash));
  await peerIdOf(stranger);
  const ended = new Promise((resolve) => stranger.once('close', resolve));
  await home.opened.set({ infoHashes: [], port });
  await ended;
  expect([home.opened.port, await home.opened.endpoints(new AbortController().signal)]).toEqual([0, []]);
  await home.opened.set({ infoHashes: [infoHash], port });
  expect(await home.opened.endpoints(new AbortController().signal)).toEqual([`127.0.0.1:${port}`]);
});

test('of one address so many are let in and no more', async () => {
  await using film = await SharedItem.make({ ...LAYOUT, plain: true });
  await using home = new Home();
  const infoHash = await home.hold(film);
  await home.opened.set({ infoHashes: [infoHash], port: 0 });
  for (let count = 0; count < 3; count += 1) await peerIdOf(home.call(handshake(infoHash)));
  expect(await heardOf(home.call(handshake(infoHash)))).toBe('');
});

test('who was banned for wrong pieces is not let in again', async () => {
  await using film = await SharedItem.make({ ...LAYOUT, plain: true });
  await using home = new Home();
  const infoHash = await home.hold(film);
  await home.opened.set({ infoHashes: [infoHash], port: 0 });
  await peerIdOf(home.call(handshake(infoHash)));
  home.isBanned = true;
  expect(await heardOf(home.call(handshake(infoHash)))).toBe('');
});
