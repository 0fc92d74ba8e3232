import { randomBytes } from 'node:crypto';
import { readFile, rename, utimes, writeFile } from 'node:fs/promises';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { SharedItem } from '../../test/fixtures/shared-item.ts';
import type { Clock } from '../base/clock.ts';
import type { DeviceKey } from '../base/id.ts';
import { parseDeviceKey, parseSphereId } from '../base/id.ts';
import { silentLogger } from '../base/log.ts';
import { Scope } from '../base/scope.ts';
import { systemClock } from '../base/system-clock.ts';
import { TorrentClient } from '../torrent/client.ts';
import { buildMetainfo } from '../torrent/metainfo.ts';
import type { TorrentSpec } from '../torrent/torrent-spec.ts';
import { TorrentHost } from './torrent-host.ts';
import { PieceTags } from '../torrent/piece-tags.ts';
import { systemRandom } from '../base/random.ts';

type Key = Uint8Array<ArrayBuffer>;
const PIECE = 16 * 1024;
const sphereId = parseSphereId('1'.repeat(64));
const anna = parseDeviceKey('a'.repeat(64));
const ben = parseDeviceKey('b'.repeat(64));
const FILES = [{ name: 'film.mp4', content: randomBytes(100_000) }];
const LAYOUT = { pieceLength: PIECE, padding: 0, manifest: randomBytes(50), files: FILES };

/** Files are looked at every few seconds, which nobody waits for here. */
const hasty: Clock = {
  ...systemClock,
  monotonic: () => systemClock.monotonic() * 20,
  sleep: (ms, signal) => systemClock.sleep(ms / 20, signal),
};

/** A device of the sphere with its torrents. */
class Home implements AsyncDisposable {
  readonly host: TorrentHost;
  /** States that were told. */
  readonly told: string[] = [];
  readonly #stack = new AsyncDisposableStack();

  constructor(device: DeviceKey, { limits = { up: 0, down: 0 }, clock = systemClock } = {}) {
    const client = this.#stack.use(new TorrentClient({ log: silentLogger }));
    this.host = this.#stack.use(
      new TorrentHost({
        clock,
        random: Math.random,
        log: silentLogger,
        client,
        device,
        limits,
        tags: new PieceTags(systemRandom),
        seeks: () => false,
        offers: () => false,
        onChange: (torrent, { kind }) => void (kind === 'state' && this.told.push(torrent.state.state)),
        onRemoved: () => undefined,
      }),
    );
    this.host.setSphere(sphereId, [], [anna, ben]);
    const scope = this.#stack.use(new Scope({ log: silentLogger }));
    scope.spawn('watch files', (signal) => this.host.watchFiles(signal));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

function specOf(item: SharedItem, part: Partial<TorrentSpec>): TorrentSpec {
  const whole = { bitfield: null, paused: false, background: true, segments: item.receiverSegments() };
  return { ...buildMetainfo(item.shape), sphereId, mediaKey: item.mediaKey, ...whole, ...part };
}

const fullCopy = (item: SharedItem): TorrentSpec =>
  specOf(item, { segments: item.segments, bitfield: new Uint8Array(Math.ceil(item.pieceCount / 8)).fill(0xff) });

async function join(sharer: TorrentHost, receiver: TorrentHost, { infoHash }: TorrentSpec): Promise<void> {
  const server = createServer({ pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const taken = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const { port } = server.address() as AddressInfo;
  const calling = connect(port, '127.0.0.1');
  const answering = await taken;
  server.close();
  for (const stream of [calling, answering]) stream.on('error', () => undefined);
  const route = { path: 'lan', address: `127.0.0.1:${port}` } as const;
  const admitted = { sphereId, infoHash, purpose: 'swarm' } as const;
  sharer.connect({ stream: answering, device: ben, route, admitted: { ...admitted, device: ben } }, false);
  receiver.connect({ stream: calling, device: anna, route, admitted: { ...admitted, device: anna } }, true);
}

const activeOf = ({ host }: Home): number => Array.from(host.active).length;

test('of a sphere that was left nothing is announced any more, also of what was carried over from it', async () => {
  await using item = await SharedItem.make(LAYOUT);
  await using home = new Home(anna);
  const former = parseSphereId('2'.repeat(64));
  const [admission, tracker, lan] = [7, 8, 9].map((byte) => new Uint8Array(32).fill(byte)) as [Key, Key, Key];
  home.host.setSphere(former, [{ admission, tracker, lan }], [anna, ben]);
  await home.host.add({ ...fullCopy(item), alsoIn: [former] });
  const announced = () => Array.from(home.host.announcements(), ({ hashes }) => hashes.length);
  expect(announced()).toEqual([1]);
  await home.host.removeSphere(former);
  expect(announced()).toEqual([0]);
});

test('a full copy has nothing of the torrent library until somebody connects, and serves then', async () => {
  await using item = await SharedItem.make(LAYOUT);
  await using sharer = new Home(anna);
  await using receiver = new Home(ben);
  const copy = fullCopy(item);
  await sharer.host.add(copy);
  expect(activeOf(sharer)).toBe(0);
  expect(sharer.host.get(copy.infoHash)).toMatchObject({ serves: true, appetite: 'lazy', isAsTold: true });
  await receiver.host.add(specOf(item, {}));
  await join(sharer.host, receiver.host, copy);
  await expect.poll(() => receiver.host.get(copy.infoHash).state.state, { timeout: 20_000 }).toBe('complete');
  expect(Buffer.compare(await readFile(item.received('film.mp4')), FILES[0]?.content ?? Buffer.of())).toBe(0);
  expect(activeOf(sharer)).toBe(1);
});

test('a full copy that is removed while it wakes leaves nothing behind', async () => {
  await using item = await SharedItem.make(LAYOUT);
  await using sharer = new Home(anna);
  await using receiver = new Home(ben);
  const copy = fullCopy(item);
  await sharer.host.add(copy);
  await receiver.host.add(specOf(item, {}));
  await join(sharer.host, receiver.host, copy);
  await sharer.host.remove(copy.infoHash);
  expect([activeOf(sharer), Array.from(sharer.host.torrents).length]).toEqual([0, 0]);
});

test('a file of an idle copy that goes away is told, and so is its return', async () => {
  await using item = await SharedItem.make(LAYOUT);
  await using home = new Home(anna, { clock: hasty });
  const copy = fullCopy(item);
  const [file] = copy.segments.filter((segment) => segment.kind === 'file');
  const path = file?.path ?? '';
  await rename(path, `${path}.away`);
  await home.host.add(copy);
  const state = (): string => home.host.get(copy.infoHash).state.state;
  await expect.poll(state, { timeout: 20_000 }).toBe('missing');
  expect(home.host.get(copy.infoHash).serves).toBe(false);
  // Moved away and back it has another change time: its content is compared before it is served again.
  await rename(`${path}.away`, path);
  await expect.poll(state, { timeout: 20_000 }).toBe('complete');
});

test('a file of an idle copy that was touched is compared, and served when it is the same', async () => {
  await using item = await SharedItem.make(LAYOUT);
  await using home = new Home(anna, { clock: hasty });
  const copy = fullCopy(item);
  const [file] = copy.segments.filter((segment) => segment.kind === 'file');
  await utimes(file?.path ?? '', new Date(0), new Date(0));
  await home.host.add(copy);
  await expect.poll(() => activeOf(home), { timeout: 20_000 }).toBe(1);
  await expect.poll(() => home.host.get(copy.infoHash).state.state, { timeout: 20_000 }).toBe('complete');
  expect(home.host.get(copy.infoHash).identities).toHaveLength(1);
  expect([home.told.at(-1), home.told.includes('changed')]).toEqual(['complete', false]);
});

test('a file of an idle copy that was edited is told to be changed', async () => {
  await using item = await SharedItem.make(LAYOUT);
  await using home = new Home(anna, { clock: hasty });
  const copy = fullCopy(item);
  const [file] = copy.segments.filter((segment) => segment.kind === 'file');
  await writeFile(file?.path ?? '', randomBytes(100_000));
  await home.host.add(copy);
  await expect.poll(() => home.told.at(-1), { timeout: 20_000 }).toBe('changed');
});

test('a download of less importance waits while another is moving, and goes on after it', async () => {
  const make = (): Promise<SharedItem> =>
    SharedItem.make({ ...LAYOUT, files: [{ name: 'film.mp4', content: randomBytes(1_500_000) }] });
  await using first = await make();
  await using last = await make();
  await using sharer = new Home(anna);
  await using receiver = new Home(ben, { limits: { up: 0, down: 2_000_000 } });
  const ticking = setInterval(() => receiver.host.tick(), 50);
  const specs = [specOf(last, { priority: 'low' }), specOf(first, { priority: 'high' })] as const;
  const have = (spec: TorrentSpec): number => receiver.host.get(spec.infoHash).bytesHave;
  for (const item of [first, last]) await sharer.host.add(fullCopy(item));
  for (const spec of specs) await receiver.host.add(spec);
  for (const spec of specs) await join(sharer.host, receiver.host, spec);
  await expect.poll(() => receiver.host.get(specs[1].infoHash).state.state, { timeout: 20_000 }).toBe('complete');
  expect(have(specs[0])).toBeLessThan(1_000_000);
  await expect.poll(() => receiver.host.get(specs[0].infoHash).state.state, { timeout: 20_000 }).toBe('complete');
  clearInterval(ticking);
});

test('a download with a limit of its own is none that those of less importance wait for', async () => {
  const make = (): Promise<SharedItem> =>
    SharedItem.make({ ...LAYOUT, files: [{ name: 'film.mp4', content: randomBytes(300_000) }] });
  await using first = await make();
  await using last = await make();
  await using sharer = new Home(anna);
  await using receiver = new Home(ben);
  const specs = [specOf(last, { priority: 'low' }), specOf(first, { limits: { up: 0, down: 1000 } })] as const;
  const [low, normal] = specs;
  for (const item of [first, last]) await sharer.host.add(fullCopy(item));
  for (const spec of specs) await receiver.host.add(spec);
  await join(sharer.host, receiver.host, normal);
  const rate = (): number => receiver.host.get(normal.infoHash).state.downBps;
  await expect.poll(rate, { timeout: 20_000, interval: 10 }).toBeGreaterThan(0);
  const ticking = setInterval(() => receiver.host.tick(), 50);
  receiver.host.tick();
  await join(sharer.host, receiver.host, low);
  await expect.poll(() => receiver.host.get(low.infoHash).state.state, { timeout: 20_000 }).toBe('complete');
  expect(receiver.host.get(normal.infoHash).state.state).toBe('downloading');
  clearInterval(ticking);
});

test('an item keeps to its own limit when sent and when received, also to one that was set while it was idle', async () => {
  const make = (): Promise<SharedItem> =>
    SharedItem.make({ ...LAYOUT, files: [{ name: 'film.mp4', content: randomBytes(1_000_000) }] });
  await using sent = await make();
  await using received = await make();
  await using sharer = new Home(anna);
  await using receiver = new Home(ben);
  for (const item of [sent, received]) await sharer.host.add(fullCopy(item));
  sharer.host.limits.set(fullCopy(sent).infoHash, { up: 400_000, down: 0 });
  const specs = [specOf(sent, {}), specOf(received, { limits: { up: 0, down: 400_000 } })];
  for (const spec of specs) await receiver.host.add(spec);
  const startedMs = performance.now();
  const seconds = await Promise.all(
    specs.map(async (spec) => {
      await join(sharer.host, receiver.host, spec);
      const torrent = receiver.host.get(spec.infoHash);
      await expect.poll(() => torrent.bytesHave, { timeout: 20_000, interval: 20 }).toBe(torrent.length);
      return (performance.now() - startedMs) / 1000;
    }),
  );
  expect(Math.min(...seconds)).toBeGreaterThan(1.8);
});
