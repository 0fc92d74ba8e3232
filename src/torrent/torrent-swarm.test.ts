import { randomBytes } from 'node:crypto';
import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { Miser } from '../../test/fixtures/miser.ts';
import { RawWire } from '../../test/fixtures/raw-wire.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { parseDeviceKey } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { UNIT_BYTES } from './assembly.ts';
import { TorrentClient } from './client.ts';
import { TokenBucket } from './limits.ts';
import { OpenConnections } from './open-connections.ts';
import { buildMetainfo, DIGEST_BYTES, parseMetainfo } from './metainfo.ts';
import { PieceBuffers } from './piece-buffers.ts';
import { TorrentSwarm } from './torrent-swarm.ts';
import type { TorrentWires } from './webtorrent-inside.ts';

const PIECE = 64 * 1024;
const PIECES = 4096;
const [CHOKE, UNCHOKE, HAVE, REQUEST, BLOCK, HAVE_NONE, REJECT] = [0, 1, 4, 6, 7, 15, 16] as const;
const BLOCKS = PIECE / UNIT_BYTES;
const SOON = { timeout: 20_000 };
const shape = { length: PIECES * PIECE, pieceLength: PIECE, pieces: randomBytes(PIECES * DIGEST_BYTES) };
const item = { pieceCount: PIECES, shape };
const info = {
  device: parseDeviceKey('a'.repeat(64)),
  route: { path: 'tcp', address: '192.0.2.9:1' },
  weDialled: true,
} as const;

/** A member that has one piece and answers nothing by itself. */
class Holder {
  readonly #wire: RawWire;
  readonly #swarm: TorrentSwarm;
  readonly #asked: (readonly number[])[] = [];

  constructor(swarm: TorrentSwarm, digit: string) {
    this.#swarm = swarm;
    const [ours, theirs] = duplexPair();
    swarm.connect(ours, { ...info, device: parseDeviceKey(digit.repeat(64)) });
    this.#wire = new RawWire(theirs, item, ([id, ...request]) => {
      if (id === REQUEST) this.#asked.push(request);
    });
    for (const message of [[HAVE_NONE], [HAVE, 0, 0, 0, 7], [UNCHOKE]]) this.#wire.say(...message);
  }

  /** Requests that have come and are not answered, once it was looked at what to ask for. */
  readonly owed = (): number => {
    this.#swarm.refresh();
    return this.#asked.length;
  };

  giveAll(): void {
    this.#give(this.#asked.splice(0));
  }

  giveFirst(): void {
    this.#give(this.#asked.splice(0, 1));
  }

  choke(): void {
    this.#wire.say(CHOKE);
    for (const request of this.#asked.splice(0)) this.#wire.say(REJECT, ...request);
  }

  #give(requests: readonly (readonly number[])[]): void {
    for (const request of requests) {
      this.#wire.say(BLOCK, ...request.slice(0, 8), ...Buffer.alloc(UNIT_BYTES));
    }
  }
}

/** A torrent of which nothing is here, on a disk that takes nothing. */
class Beginning implements AsyncDisposable {
  readonly swarm: TorrentSwarm;
  readonly clock = new VirtualClock(0);
  readonly down: TokenBucket;
  waiting = 0;
  /** Pieces fail their check instead of waiting for the disk. */
  isWrong = false;
  readonly wires: TorrentWires;
  readonly #stack = new AsyncDisposableStack();

  private constructor(wires: TorrentWires, client: TorrentClient) {
    this.wires = wires;
    this.#stack.use(client);
    const { clock } = this;
    const bucket = (): TokenBucket => this.#stack.use(new TokenBucket({ clock, rate: 0 }));
    this.down = bucket();
    this.swarm = this.#stack.use(
      new TorrentSwarm({
        wires,
        shape,
        background: null,
        buckets: { up: bucket(), down: this.down, connections: new OpenConnections(), isHeldBack: false },
        borrow: () => Promise.reject(new Error('nothing is here')),
        write: () => {
          this.waiting += 1;
          return this.isWrong ? Promise.resolve(false) : new Promise<boolean>(() => undefined);
        },
        buffers: new PieceBuffers(),
        clock,
        random: Math.random,
        log: silentLogger,
        onVerified: () => undefined,
        onFailed: () => undefined,
        onBadPiece: () => undefined,
        onLinksChanged: () => undefined,
        onLost: () => undefined,
      }),
    );
  }

  static async start(): Promise<Beginning> {
    const client = new TorrentClient({ log: silentLogger });
    const { metainfo, infoHash } = buildMetainfo(shape);
    const bitfield = new Uint8Array(PIECES / 8);
    const wires = await client.add({ metainfo: parseMetainfo(metainfo, { infoHash, sha256: null }), bitfield });
    return new Beginning(wires, client);
  }

  /** How often it is asked whether a piece is here while it is decided once what to ask each member for. */
  looksOfOneRefresh(): number {
    const has = this.wires.has.bind(this.wires);
    let looks = 0;
    this.wires.has = (piece) => {
      looks += 1;
      return has(piece);
    };
    this.swarm.refresh();
    this.wires.has = has;
    return looks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

test('while the disk is behind, a block that arrives is no reason to look at every missing piece', async () => {
  await using beginning = await Beginning.start();
  const [ours, theirs] = duplexPair();
  const miser = new Miser(item);
  const { swarm } = beginning;
  swarm.connect(ours, info);
  miser.connect(theirs);
  await expect.poll(() => swarm.links.some((link) => swarm.isSeed(link)), { timeout: 20_000 }).toBe(true);
  miser.give(PIECES);
  await expect.poll(() => beginning.waiting, { timeout: 20_000 }).toBeGreaterThan(32);
  await expect.poll(() => miser.owed, { timeout: 20_000 }).toBe(0);
  expect(beginning.looksOfOneRefresh()).toBeLessThan(200);
});

test('for a member that holds nothing of what is missing, it is not all looked through again and again', async () => {
  await using beginning = await Beginning.start();
  const [ours, theirs] = duplexPair();
  const { swarm } = beginning;
  swarm.connect(ours, info);
  const wire = new RawWire(theirs, item, () => undefined);
  for (const message of [HAVE_NONE, UNCHOKE]) wire.say(message);
  await expect.poll(() => swarm.links[0]?.wire.peerChoking, { timeout: 20_000 }).toBe(false);
  swarm.refresh();
  expect(beginning.looksOfOneRefresh()).toBeLessThan(200);
});

test('while no further piece may be begun, what others are late with is asked of a peer that gives', async () => {
  await using beginning = await Beginning.start();
  const { swarm, clock } = beginning;
  await expect.poll(new Holder(swarm, 'b').owed, SOON).toBe(BLOCKS);
  const [toGiver, giving] = duplexPair();
  const giver = new Miser(item);
  swarm.connect(toGiver, info);
  giver.connect(giving);
  await expect.poll(() => swarm.links.some((link) => swarm.isSeed(link)), { timeout: 20_000 }).toBe(true);
  giver.give(PIECES);
  await expect.poll(() => beginning.waiting, { timeout: 20_000 }).toBeGreaterThan(32);
  await expect.poll(() => giver.owed, { timeout: 20_000 }).toBe(0);
  await clock.advance(3_000);
  const owed = (): number | undefined => {
    swarm.refresh();
    return swarm.links[0]?.requests.length;
  };
  await expect.poll(owed, SOON).toBe(0);
});

/** Of the two that have a piece the first gave it, it was wrong, and it is asked for it once more. */
async function askedAgain({ swarm }: Beginning): Promise<[first: Holder, second: Holder]> {
  const first = new Holder(swarm, 'b');
  await expect.poll(first.owed, SOON).toBe(BLOCKS);
  first.giveAll();
  await expect.poll(first.owed, SOON).toBe(BLOCKS);
  const second = new Holder(swarm, 'c');
  await expect.poll(() => swarm.links[1]?.wire.peerChoking, SOON).toBe(false);
  await expect.poll(second.owed, SOON).toBe(0);
  return [first, second];
}

test('a piece that failed its check is asked of another member when the one that it was left to chokes', async () => {
  await using beginning = await Beginning.start();
  beginning.isWrong = true;
  const [first, second] = await askedAgain(beginning);
  first.choke();
  await expect.poll(second.owed, SOON).toBe(BLOCKS);
  expect(beginning.waiting).toBe(1);
});

test('a piece that failed its check is asked of another member when the one that it was left to is late', async () => {
  await using beginning = await Beginning.start();
  beginning.isWrong = true;
  const [, second] = await askedAgain(beginning);
  await beginning.clock.advance(3_000);
  await expect.poll(second.owed, SOON).toBe(1);
  await beginning.clock.advance(1);
  second.giveFirst();
  await expect.poll(second.owed, SOON).toBe(BLOCKS - 1);
  expect(beginning.waiting).toBe(1);
});

test('while our own limit lets us read nothing, the other end is not silent, nor late when we read again', async () => {
  await using beginning = await Beginning.start();
  const { swarm, clock, down } = beginning;
  const member = new Holder(swarm, 'b');
  await expect.poll(member.owed, SOON).toBe(BLOCKS);
  down.setRate(100);
  member.giveFirst();
  await expect.poll(() => swarm.links[0]?.isResting, SOON).toBe(true);
  await clock.advance(100_000);
  expect([swarm.links[0]?.isResting, swarm.links[0]?.silentMs]).toEqual([true, 0]);
  await clock.advance(100_000);
  const { isResting, silentMs = Infinity, requests } = swarm.links[0] ?? {};
  expect([isResting, silentMs < 75_000, (requests?.stalledMs ?? Infinity) < 75_000]).toEqual([false, true, true]);
});

test('of what others are late with a member that has given nothing yet is asked for one block, until it gives', async () => {
  await using beginning = await Beginning.start();
  const { swarm, clock } = beginning;
  await expect.poll(new Holder(swarm, 'b').owed, SOON).toBe(BLOCKS);
  const newcomer = new Holder(swarm, 'c');
  await expect.poll(() => swarm.links[1]?.wire.peerChoking, SOON).toBe(false);
  await expect.poll(newcomer.owed, SOON).toBe(0);
  await clock.advance(3_000);
  await expect.poll(newcomer.owed, SOON).toBe(1);
  swarm.tick();
  await expect.poll(newcomer.owed, SOON).toBe(1);
  await clock.advance(1);
  newcomer.giveFirst();
  await expect.poll(newcomer.owed, SOON).toBe(BLOCKS - 1);
  expect(swarm.links[0]?.requests.length).toBe(0);
});

test('another program that lets us wait hears no keep-alives, which it might take for a flood; a member hears them', async () => {
  await using beginning = await Beginning.start();
  const { swarm } = beginning;
  const heard = [true, false].map((isForeign, index) => {
    const [ours, theirs] = duplexPair();
    swarm.connect(ours, { ...info, device: parseDeviceKey(`${index}`.repeat(64)), isForeign });
    const wire = new RawWire(theirs, item, () => undefined);
    for (const message of [[HAVE_NONE], [HAVE, 0, 0, 0, index], [UNCHOKE]]) wire.say(...message);
    const keepAlives: number[] = [];
    theirs.on('data', (bytes: Buffer) => bytes.equals(Buffer.alloc(4)) && keepAlives.push(1));
    return keepAlives;
  });
  await expect.poll(() => (swarm.tick(), heard[1]?.length ?? 0), SOON).toBeGreaterThan(2);
  expect(swarm.links.map(({ requests }) => requests.length)).toEqual([BLOCKS, BLOCKS]);
  expect(heard[0]).toEqual([]);
});

test('strangers take no place of those that members are given something in', async () => {
  await using beginning = await Beginning.start();
  const { swarm, wires } = beginning;
  const [ours, theirs] = duplexPair();
  swarm.connect(ours, { ...info, strangersId: randomBytes(20) });
  expect(wires.slots).toBe(11);
  theirs.destroy();
  ours.destroy();
  await expect.poll(() => wires.slots, SOON).toBe(10);
});

test('a connection that broke before it is handed over is none', async () => {
  await using beginning = await Beginning.start();
  const [ours] = duplexPair();
  ours.destroy();
  await new Promise((resolve) => ours.once('close', resolve));
  beginning.swarm.connect(ours, info);
  expect(beginning.swarm.links.length).toBe(0);
});
