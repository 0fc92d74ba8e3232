import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { parseSphereId } from '../base/id.ts';
import { openStorage } from './storage.ts';

const WRITER = join(import.meta.dirname, '../../test/fixtures/storage-writer.ts');
const KILLS = 20;
const sphereId = parseSphereId('a'.repeat(64));

/** Runs the writer from `first` on, kills it after `rows` acknowledgements and returns the last number it printed. */
async function writeAndKill({ path, folder }: StorageFolder, first: number, rows: number): Promise<number> {
  // Compiling the sources takes longer than all that is tested here.
  const env = { ...process.env, NODE_COMPILE_CACHE: join(folder, 'compiled') };
  const writer = spawn(process.execPath, [WRITER, path, String(first)], { stdio: ['ignore', 'pipe', 'inherit'], env });
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
