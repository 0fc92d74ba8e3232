import { randomBytes } from 'node:crypto';
import { open, readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { RefusingDisk } from '../../test/fixtures/refusing-disk.ts';
import { SharedItem } from '../../test/fixtures/shared-item.ts';
import { fastClock, join, TorrentEnd, whole } from '../../test/fixtures/torrent-end.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { systemClock } from '../base/system-clock.ts';

const PIECE = 16 * 1024;
/** The disk says that it did not take it, and the system's memory shows it still. */
const NOTHING = { from: 0, to: 0 };
const FILES = ['a', 'b', 'c'].map((name) => ({ name: `${name}.jpg`, content: randomBytes(6 * PIECE) }));
const ALL = [0, 1, 2, 3, 4, 5].map((piece) => piece * PIECE);
const item = () => SharedItem.make({ pieceLength: PIECE, padding: 0, manifest: randomBytes(50), files: FILES });

/** Of three files the one in the middle. */
const CHOSEN = { wanted: [{ from: 6 * PIECE, to: 12 * PIECE }] };

for (const [code, state] of [
  ['ENOSPC', 'disk-full'],
  ['EIO', 'failed'],
] as const) {
  test(`what a disk refused with ${code} before the process was killed is written anew by the next one`, async () => {
    await using three = await item();
    await using disk = new RefusingDisk(NOTHING, code);
    await using sharer = await TorrentEnd.start(three, systemClock, whole(three));
    let { told }: Pick<TorrentEnd, 'told'> = { told: null };
    {
      // The time to look again never comes.
      await using killed = await TorrentEnd.start(three, new VirtualClock(0), {}, disk);
      await join(sharer.torrent, killed.torrent);
      await expect.poll(() => killed.torrent.state.state).toBe(state);
      told = killed.told;
    }
    await using next = await TorrentEnd.start(three, systemClock, { bitfield: told }, disk);
    await expect.poll(() => next.torrent.state.state).toBe('complete');
    // Each of the files.
    for (const position of ALL) expect(disk.written.filter((at) => at === position)).toHaveLength(3);
    for (const { name, content } of FILES) expect(await readFile(three.received(name))).toEqual(content);
  });

  test(`a chosen file that the disk refused with ${code} is not here before it was written anew, killed or not`, async () => {
    await using three = await item();
    await using disk = new RefusingDisk(NOTHING, code);
    await using sharer = await TorrentEnd.start(three, systemClock, whole(three));
    let { told }: Pick<TorrentEnd, 'told'> = { told: null };
    {
      await using killed = await TorrentEnd.start(three, new VirtualClock(0), CHOSEN, disk);
      await join(sharer.torrent, killed.torrent);
      await expect.poll(() => killed.torrent.state.state).toBe(state);
      told = killed.told;
    }
    expect(disk.written).toEqual([]);
    {
      await using next = await TorrentEnd.start(three, systemClock, { ...CHOSEN, bitfield: told }, disk);
      await expect.poll(() => next.torrent.state.state).toBe('partial');
      expect(disk.written.toSorted((a, b) => a - b)).toEqual(ALL);
    }
    // Once that is known nothing is done again.
    const known = { ...CHOSEN, bitfield: told, synced: CHOSEN.wanted };
    await using last = await TorrentEnd.start(three, systemClock, known, disk);
    expect(last.torrent.state.state).toBe('partial');
    expect(disk.written).toHaveLength(6);
  });
}

test('a chosen file for which the disk is full at the end is waited for and written anew before it is called here', async () => {
  await using three = await item();
  await using disk = new RefusingDisk({ from: 2 * PIECE, to: 3 * PIECE });
  await using sharer = await TorrentEnd.start(three, systemClock, whole(three));
  await using receiver = await TorrentEnd.start(three, fastClock, CHOSEN, disk);
  await join(sharer.torrent, receiver.torrent);
  await expect.poll(() => receiver.torrent.state.state).toBe('partial');
  expect(receiver.states).toEqual(['downloading', 'disk-full', 'downloading', 'partial']);
  expect(new Set(disk.written)).toEqual(new Set(ALL));
  expect(await readFile(three.received('b.jpg'))).toEqual(FILES[1]?.content);
});

/** What a run that fetched the chosen file told of its pieces. */
async function fetchChosen(three: SharedItem, sharer: TorrentEnd): Promise<TorrentEnd['told']> {
  await using first = await TorrentEnd.start(three, systemClock, CHOSEN);
  await join(sharer.torrent, first.torrent);
  await expect.poll(() => first.torrent.state.state).toBe('partial');
  return first.told;
}

test('what a power cut lost of a chosen file is found before it is called here', async () => {
  await using three = await item();
  await using sharer = await TorrentEnd.start(three, systemClock, whole(three));
  const told = await fetchChosen(three, sharer);
  {
    await using file = await open(three.received('b.jpg'), 'r+');
    await file.write(Buffer.alloc(PIECE), 0, PIECE, 2 * PIECE);
  }
  await using next = await TorrentEnd.start(three, systemClock, { ...CHOSEN, bitfield: told });
  await expect.poll(() => next.torrent.bytesHave).toBe(5 * PIECE);
  expect(next.states).toEqual(['downloading']);
  await join(sharer.torrent, next.torrent);
  await expect.poll(() => next.torrent.state.state).toBe('partial');
  expect(await readFile(three.received('b.jpg'))).toEqual(FILES[1]?.content);
});

test('a chosen file that its person edited is left alone when another one is chosen beside it', async () => {
  await using three = await item();
  await using sharer = await TorrentEnd.start(three, systemClock, whole(three));
  const told = await fetchChosen(three, sharer);
  const edited = randomBytes(6 * PIECE);
  await writeFile(three.received('b.jpg'), edited);
  const both = { wanted: [{ from: 6 * PIECE, to: 18 * PIECE }], synced: CHOSEN.wanted, bitfield: told };
  await using next = await TorrentEnd.start(three, systemClock, both);
  await join(sharer.torrent, next.torrent);
  await expect.poll(() => next.torrent.state.state).toBe('partial');
  expect(await readFile(three.received('b.jpg'))).toEqual(edited);
  expect(await readFile(three.received('c.jpg'))).toEqual(FILES[2]?.content);
});

for (const code of ['ENOSPC', 'EIO']) {
  test(`a chosen file that the disk refused with ${code} is written anew when all files are wanted after that`, async () => {
    await using three = await item();
    await using disk = new RefusingDisk(NOTHING, code, (path) => path.endsWith('b.jpg'));
    await using sharer = await TorrentEnd.start(three, systemClock, whole(three));
    let { told }: Pick<TorrentEnd, 'told'> = { told: null };
    {
      await using first = await TorrentEnd.start(three, new VirtualClock(0), CHOSEN, disk);
      await join(sharer.torrent, first.torrent);
      await expect.poll(() => first.torrent.state.state).toMatch(/^(?:disk-full|failed)$/);
      told = first.told;
    }
    const all = { bitfield: told, doubted: CHOSEN.wanted };
    await using next = await TorrentEnd.start(three, fastClock, all, disk);
    await join(sharer.torrent, next.torrent);
    await expect.poll(() => next.torrent.state.state).toBe('complete');
    // Each of the files.
    for (const position of ALL) expect(disk.written.filter((at) => at === position)).toHaveLength(3);
  });
}
