import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { parseBareJid, parseSphereId } from '../base/id.ts';
import { openStorage } from './storage.ts';

const FIXTURES = join(import.meta.dirname, '../../test/fixtures');
const WRITER = join(FIXTURES, 'storage-writer.ts');
const GATHERER = join(FIXTURES, 'gathering-writer.ts');
const KILLS = 20;
const sphereId = parseSphereId('a'.repeat(64));

/** Runs a writer from `first` on, kills it after `rows` acknowledgements and returns the last number it printed. */
async function writeAndKill(
  { path, folder }: StorageFolder,
  first: number,
  rows: number,
  program = WRITER,
): Promise<number> {
  // Compiling the sources takes longer than all that is tested here.
  const env = { ...process.env, NODE_COMPILE_CACHE: join(folder, 'compiled') };
  const writer = spawn(process.execPath, [program, path, String(first)], { stdio: ['ignore', 'pipe', 'inherit'], env });
  const exit = once(writer, 'exit');
  let last = first - 1;
  for await (const line of createInterface({ input: writer.stdout })) {
    last = Number(line);
    if (last === first + rows) writer.kill('SIGKILL');
  }
  await exit;
  expect(writer.signalCode).toBe('SIGKILL');
  return last;
}

test('twenty times kill -9 loses no acknowledged row and leaves no half one', { timeout: 60_000 }, async () => {
  using folder = new StorageFolder();
  let first = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const last = await writeAndKill(folder, first, 3 + ((kill * 7) % 23));
    using storage = openStorage(folder.deps());
    const events = storage.events.list(sphereId).map(({ sequence }) => sequence);
    const queued = storage.outbox.list('queued').map(({ eventId }) => parseInt(eventId, 16));
    expect(events).toEqual(Array.from({ length: events.length }, (_none, index) => index));
    expect(events.length).toBeGreaterThan(last);
    expect(queued).toEqual(events);
    first = events.length;
  }
});

test(
  'kill -9 while an archive is read leaves ratchet, messages and place as they belong together',
  { timeout: 60_000 },
  async () => {
    using folder = new StorageFolder();
    let first = 0;
    for (let kill = 0; kill < 4; kill += 1) {
      const last = await writeAndKill(folder, first, 20 + kill * 13, GATHERER);
      using storage = openStorage(folder.deps());
      const events = storage.events.list(sphereId).map(({ sequence }) => sequence);
      first = events.length;
      expect(events).toEqual(Array.from({ length: first }, (_none, index) => index));
      expect(first).toBeGreaterThan(last);
      const newest = String(first - 1);
      expect(storage.omemo.session({ jid: parseBareJid('ben@two.test'), deviceId: 1 })).toBe(newest);
      const room = storage.spheres.get(sphereId)?.room ?? '';
      expect([storage.seen.has(room, newest), storage.seen.has(room, String(first))]).toEqual([true, false]);
      expect(Number(storage.spheres.get(sphereId)?.archiveCursor)).toBeLessThan(first);
    }
  },
);
