import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import type { ItemView } from '../../src/contract/views.ts';
import { parseEndpoint } from '../../src/torrent/endpoint.ts';
import { parsePublicMetainfo } from '../../src/torrent/public-metainfo.ts';
import { EngineWorld, type Person } from '../fixtures/engine-world.ts';
import { freePort } from '../fixtures/free-port.ts';
import { hasProsody } from '../fixtures/prosody.ts';

const PEER = fileURLToPath(new URL('../fixtures/libtorrent-swarm.py', import.meta.url));
const BYTES = 3_000_001;

interface Opened {
  readonly item: ItemView;
  readonly file: string;
  readonly endpoints: readonly string[];
}

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A libtorrent that knows what the .torrent file says; what it says itself, line by line. */
async function libtorrent(torrent: string, folder: string): Promise<() => Promise<string>> {
  await mkdir(folder, { recursive: true });
  const words = [PEER, 'leech', folder, torrent, `127.0.0.1:${await freePort()}`];
  const child = spawn('/usr/bin/python3', words, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  expect(await next()).toBe('ready');
  return next;
}

/** What somebody hears who says this at the endpoint until it closes; null = nobody is there. */
function heard(endpoint: string, said: Uint8Array): Promise<string | null> {
  const stream = connect(parseEndpoint(endpoint) ?? { port: 0 });
  const chunks: Buffer[] = [];
  stream.on('data', (chunk) => chunks.push(chunk));
  stream.write(said);
  return new Promise((resolve) => {
    stream.once('error', (error) => resolve('code' in error && error.code === 'ECONNREFUSED' ? null : ''));
    stream.once('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
  });
}

const handshake = (infoHash: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from('\u0013BitTorrent protocol'), Buffer.alloc(8), infoHash, randomBytes(20)]);

const question = (infoHash: Uint8Array): Buffer => {
  const hash = Buffer.from(infoHash).toString('hex').replace(/../g, '%$&');
  return Buffer.from(`GET /announce?info_hash=${hash}&port=6881&compact=1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n`);
};

async function share(world: EngineWorld, person: Person, sphere: string, name: string, plain: boolean) {
  const path = join(world.folder, name);
  const bytes = randomBytes(BYTES);
  await writeFile(path, bytes);
  return { item: await person.share(sphere, path, plain), path, bytes };
}

const open = (person: Person, sphere: string, item: string, folder: string): Promise<Opened> =>
  person.run<Opened>('open', sphere, item, folder);

async function infoHashOf(file: string): Promise<Uint8Array> {
  return Buffer.from(parsePublicMetainfo(await readFile(file)).infoHash, 'hex');
}

test.skipIf(!hasProsody())(
  'a plain item that a person opens is fetched by libtorrent with its .torrent file alone, also after a restart, and not once it is closed',
  async () => {
    await using world = await EngineWorld.start(['anna', 'ben']);
    const [anna, ben] = [world.person('anna'), world.person('ben')];
    const sphere = await world.sphere('Summer', anna, ben);
    const film = await share(world, anna, sphere, 'film.mp4', true);
    const opened = await open(anna, sphere, film.item, world.folder);
    expect(opened).toMatchObject({ item: { isOpened: true }, file: join(world.folder, 'film.mp4.torrent') });
    const first = join(world.folder, 'first');
    expect(await (await libtorrent(opened.file, first))()).toBe('done');
    expect((await readFile(join(first, 'data'))).subarray(0, BYTES).equals(film.bytes)).toBe(true);
    // Members fetch it as before, and hear nothing of it.
    expect((await readFile(await ben.get(sphere, film.item))).equals(film.bytes)).toBe(true);
    expect((await ben.item(sphere, film.item)).isOpened).toBe(false);

    await anna.engine.killHard();
    await anna.restart();
    await anna.item(sphere, film.item, ({ isOpened }) => isOpened);
    expect(await (await libtorrent(opened.file, join(world.folder, 'second')))()).toBe('done');

    const [endpoint = ''] = opened.endpoints;
    const infoHash = await infoHashOf(opened.file);
    expect(await heard(endpoint, question(infoHash))).toContain('200 OK');
    await anna.run('close', sphere, film.item);
    expect((await anna.item(sphere, film.item)).isOpened).toBe(false);
    for (const said of [handshake(infoHash), question(infoHash)]) expect(await heard(endpoint, said)).toBe(null);
  },
  120_000,
);

test.skipIf(!hasProsody())(
  'what is encrypted cannot be opened, and strangers hear as little of it as of a plain item that is not open',
  async () => {
    await using world = await EngineWorld.start(['anna']);
    const anna = world.person('anna');
    const { id: sphere } = await anna.create('Summer');
    const film = await share(world, anna, sphere, 'film.mp4', true);
    await share(world, anna, sphere, 'other.mp4', true);
    const secret = await share(world, anna, sphere, 'secret.mp4', false);
    expect(await anna.failure('open', sphere, secret.item, world.folder)).toBe('not-plain');
    const opened = await open(anna, sphere, film.item, world.folder);
    const [endpoint = ''] = opened.endpoints;
    // Its info hash is that of its event.
    const hashes = (await anna.log(sphere)).flatMap(({ body }) => {
      const infoHash: unknown = (body as { readonly infoHash?: unknown } | null)?.infoHash;
      return typeof infoHash === 'string' ? [Buffer.from(infoHash, 'hex')] : [];
    });
    const openHash = Buffer.from(await infoHashOf(opened.file));
    const closed = hashes.filter((hash) => !hash.equals(openHash));
    expect([hashes.length, closed.length]).toEqual([3, 2]);
    for (const hash of [...closed, randomBytes(20)]) {
      expect(await heard(endpoint, handshake(hash))).toBe('');
      expect(await heard(endpoint, question(hash))).toBe('');
    }
    // It ends with the file that was shared: whoever comes makes the program look at it.
    await writeFile(film.path, 'something else');
    expect(await heard(endpoint, handshake(openHash))).toBe('');
    await anna.item(sphere, film.item, ({ state, isOpened }) => state === 'changed' && !isOpened);
    await expect.poll(() => heard(endpoint, handshake(openHash))).toBe(null);
  },
  120_000,
);

test.skipIf(!hasProsody())(
  'a member fetches an open plain item from a libtorrent that has it, while no other member is there',
  async () => {
    await using world = await EngineWorld.start(['anna', 'ben']);
    const [anna, ben] = [world.person('anna'), world.person('ben')];
    const sphere = await world.sphere('Summer', anna, ben);
    const film = await share(world, anna, sphere, 'film.mp4', true);
    await ben.item(sphere, film.item);
    const outside = join(world.folder, 'outside');
    const fromAnna = await open(anna, sphere, film.item, world.folder);
    expect(await (await libtorrent(fromAnna.file, outside))()).toBe('done');
    await anna.engine.stop();
    await ben.run('get', sphere, film.item);
    await ben.item(sphere, film.item, ({ state }) => state === 'downloading');
    const fromBen = await open(ben, sphere, film.item, world.folder);
    for (const child of children.splice(0)) child.kill('SIGKILL');
    expect(await (await libtorrent(fromBen.file, outside))()).toBe('done');
    const { path } = await ben.item(sphere, film.item, ({ state }) => state === 'complete');
    expect((await readFile(path ?? '')).equals(film.bytes)).toBe(true);
  },
  120_000,
);
