import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { LogEntry } from '../base/log.ts';
import { createLogger } from '../base/log.ts';
import { systemRandom } from '../base/random.ts';
import { systemClock } from '../base/system-clock.ts';
import type { Segment } from '../contract/swarm.ts';
import { Hasher } from './hasher.ts';
import { runPieceJob } from './piece-crypto.ts';
import { PieceTags } from './piece-tags.ts';
import { checkPieces } from './self-check.ts';

const never = new AbortController().signal;
const worker = (code: string): URL =>
  new URL(`data:text/javascript,${encodeURIComponent(`import { parentPort } from 'node:worker_threads';${code}`)}`);

/** What the hasher may turn out to be on some computer. */
const BROKEN: Readonly<Record<string, URL>> = {
  'gives wrong digests': worker(
    `parentPort.on('message', ({ kind, ...run }) => kind === 'run' && parentPort.postMessage({ ...run, failure: null }));`,
  ),
  'has threads that do not start': new URL('data:text/javascript,throw new Error("no threads here")'),
};

test.each(Object.entries(BROKEN))(
  'a hasher that %s is found out, and create-torrent hashes the same',
  async (_, url) => {
    const folder = await mkdtemp(join(tmpdir(), 'self-check-'));
    try {
      const path = join(folder, 'film.mp4');
      await writeFile(path, randomBytes(300_001));
      const segments: Segment[] = [
        { kind: 'file', offset: 0, length: 300_001, path, root: null, identity: null },
        { kind: 'bytes', offset: 300_016, bytes: randomBytes(1000) },
      ];
      const request = { segments, length: 21 * 16_384 + 5, pieceLength: 16_384 };
      const entries: LogEntry[] = [];
      const log = createLogger({ clock: systemClock, module: 'test', sink: (entry) => entries.push(entry) });
      await using broken = new Hasher({ clock: systemClock, tags: new PieceTags(systemRandom), log, workerUrl: url });
      await using sound = new Hasher({ clock: systemClock, tags: new PieceTags(systemRandom) });
      for (const mediaKey of [null, new Uint8Array(randomBytes(32))]) {
        const ours = await sound.hash({ ...request, mediaKey }, () => undefined, never);
        expect(await broken.hash({ ...request, mediaKey }, () => undefined, never)).toEqual(ours);
      }
      expect(entries.map(({ level }) => level)).toEqual(['error']);
      await writeFile(path, 'short');
      await expect(broken.hash({ ...request, mediaKey: null }, () => undefined, never)).rejects.toMatchObject({
        code: 'file-changed',
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);

test('pieces that are sealed wrongly, or whose memory is given to somebody else, stop all transfers', () => {
  expect(() => checkPieces()).not.toThrow();
  const failures: (typeof runPieceJob)[] = [
    () => ({ digest: '0'.repeat(40), tag: '' }),
    (job) => runPieceJob({ ...job, offset: 16 }),
    (job) => {
      const marks = runPieceJob(job);
      job.into[100] = 0;
      return marks;
    },
    (job) => {
      const marks = runPieceJob(job);
      job.from[100] = (job.from[100] ?? 0) ^ 1;
      return marks;
    },
  ];
  for (const run of failures) {
    expect(() => checkPieces(run)).toThrow(expect.objectContaining({ code: 'transfer-unsafe' }));
  }
});
