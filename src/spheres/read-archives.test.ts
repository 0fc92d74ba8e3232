import { expect, onTestFinished, test } from 'vitest';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { parseBareJid, parseSphereId } from '../base/id.ts';
import { FormerRooms } from './former-rooms.ts';
import { ReadArchives } from './read-archives.ts';
import type { Sphere } from './sphere.ts';

const [OLD, NEW] = ['old@rooms.test', 'new@rooms.test'].map((jid) => parseBareJid(jid)) as [never, never];
const id = parseSphereId('5'.repeat(64));
const HOUR_MS = 3_600_000;

test('a room that was left and cannot be read is waited for hours each time that it is away, not once', async () => {
  const folder = new StorageFolder();
  const storage = folder.open();
  onTestFinished(() => {
    storage[Symbol.dispose]();
    folder[Symbol.dispose]();
  });
  const clock = new VirtualClock();
  new FormerRooms(storage).exchange(id, { room: OLD, cursor: null }, NEW, clock.now());
  const read = new Set<string>([NEW]);
  const archives = new ReadArchives({
    ...{ storage, clock },
    list: { ofRoom: () => ({ id }) as Sphere },
    rooms: { isCaughtUp: (room) => read.has(room), isGone: () => false },
  });
  const seen: boolean[] = [];
  const look = async (hours: number): Promise<void> => {
    await clock.advance(hours * HOUR_MS);
    seen.push(archives.isReadForNow(NEW));
  };
  await look(0);
  await look(4);
  read.add(OLD);
  await look(1);
  read.delete(OLD);
  await look(1);
  await look(4);
  expect(seen).toEqual([false, true, true, false, true]);
});
