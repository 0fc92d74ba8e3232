import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import createTorrent from 'create-torrent';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { mediaOfNothing } from '../../test/fixtures/media-of-nothing.ts';
import { systemRandom } from '../base/random.ts';
import { systemClock } from '../base/system-clock.ts';
import { enumerateTree } from '../torrent/enumerate.ts';
import type { HashRequest } from '../torrent/hash-request.ts';
import { Hasher } from '../torrent/hasher.ts';
import { describeItem } from './describe-item.ts';
import type { PreparedItem } from './prepare-item.ts';
import { draftItem, hashDraft } from './prepare-item.ts';
import type { SwarmCalls } from './swarm-feed.ts';
import { PieceTags } from '../torrent/piece-tags.ts';

const never = new AbortController().signal;
const hasher = new Hasher({ clock: systemClock, tags: new PieceTags(systemRandom) });
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'prepare-item-'));
});
afterAll(async () => {
  await hasher[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** The real hasher, without the process around it. */
const swarm = {
  hash: (request: HashRequest) =>
    Promise.resolve(
      (async function* () {
        yield { kind: 'done' as const, ...(await hasher.hash(request, () => undefined, never)) };
      })(),
    ),
} as unknown as SwarmCalls;

async function prepare(path: string, plain: boolean): Promise<PreparedItem> {
  const tree = await enumerateTree(path, never);
  const description = await describeItem(tree, { media: mediaOfNothing }, never);
  const draft = draftItem({ tree, description, plain }, systemRandom);
  return hashDraft(draft, new Uint8Array(), { swarm, onProgress: () => undefined }, never);
}

/** The whole byte space, put together from the files by hand. */
async function byteSpace({ tree, layout, manifest }: PreparedItem): Promise<Buffer> {
  const space = Buffer.alloc(layout.totalLength);
  for (const [index, file] of tree.files.entries())
    (await readFile(file.path)).copy(space, layout.files[index]?.offset);
  space.set(manifest, layout.manifest.offset);
  return space;
}

function reference(space: Uint8Array, pieceLength: number): Promise<Uint8Array> {
  const stream = Object.assign(Readable.from([Buffer.from(space)]), { name: 'data' });
  const options = { name: 'data', private: true, pieceLength, announceList: [] };
  return new Promise((resolve, reject) => {
    createTorrent(stream, options, (error, torrent) => (error === null ? resolve(torrent) : reject(error)));
  });
}

const PIECE = 256 * 1024;
const TREES: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'one small file': { 'a.txt': 5 },
  'one empty file': { 'empty.txt': 0 },
  'one file of exactly a piece': { 'a.bin': PIECE },
  'one file a byte longer than two pieces': { 'a.bin': 2 * PIECE + 1 },
  'a folder of one file': { 'in/a.bin': 70_000 },
  'a folder with empty files between others': { 'in/a': 0, 'in/b': 100, 'in/c': 0, 'in/d': PIECE, 'in/e': 0 },
  'files that end at a block, and beside it': { 'in/a': 15, 'in/b': 16, 'in/c': 17, 'in/d': 16 * 1000 },
  'nested folders': { 'in/1/2/3/4/a': 300_000, 'in/1/2/b': 10, 'in/c': PIECE - 1 },
  'names of all languages': { 'in/日本語.txt': 9, 'in/e\u0301te\u0301 🏖.jpg': 5000, 'in/Ünïcode/ß.mp4': 100_001 },
  'many small files': Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`in/${index}.jpg`, index * 37])),
};

test.each(Object.entries(TREES))('%s has the info hash that create-torrent gives its bytes', async (name, files) => {
  const root = join(folder, name);
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), randomBytes(bytes));
  }
  const [first = ''] = Object.keys(files);
  const item = await prepare(join(root, first.startsWith('in/') ? 'in' : first), true);
  const theirs = await reference(await byteSpace(item), item.layout.pieceLength);
  const info = theirs.subarray(Buffer.from(theirs).indexOf('4:info') + 6, theirs.length - 1);
  expect(createHash('sha1').update(info).digest('hex')).toBe(item.infoHash);
});

test('the last of three hundred photos of a folder is looked into like the first', async () => {
  const path = join(folder, 'photo.jpg');
  await writeFile(path, 'pixels');
  const tree = await enumerateTree(path, never);
  const album = Array.from({ length: 300 }, (_, index) =>
    tree.files.map((file) => ({ ...file, components: [`${index}.jpg`] })),
  );
  const { probe } = mediaOfNothing;
  const media = {
    ...mediaOfNothing,
    probe: async (file: string, signal: AbortSignal) => ({ ...(await probe(file, signal)), type: 'image/jpeg' }),
  };
  const { manifest } = await describeItem({ ...tree, root: 'folder', files: album.flat() }, { media }, never);
  expect(manifest.files.filter(({ type }) => type === 'image/jpeg')).toHaveLength(300);
});
