import type { FileHandle } from 'node:fs/promises';
import { constants, open } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { PlayableItem } from './playable-item.ts';

const CHUNK = 256 * 1024;
const LOOK_AHEAD = 32 * 1024 * 1024;
/** The window moves in steps, so that a fast reader does not talk to the swarm for every chunk. */
const WINDOW_STEP = 4 * 1024 * 1024;
const STALL_MS = 5 * 60 * 1000;

interface Reading {
  readonly item: PlayableItem;
  /** Unique among all open readers. */
  readonly reader: string;
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

/** Writes a part of the item as its bytes arrive, no faster than `target` takes them. */
export async function streamItem(
  reading: Reading,
  target: Writable,
  deps: { clock: Clock },
  signal: AbortSignal,
): Promise<void> {
  const { item, from, to } = reading;
  using window = new ReaderWindow(reading);
  let handle: FileHandle | undefined;
  try {
    for (let position = from; position < to;) {
      // Chunks end at multiples of their length, so that a wait rarely spans two pieces.
      const end = Math.min(to, position - (position % CHUNK) + CHUNK);
      window.moveTo(position);
      await waitForBytes(item, position, end, deps.clock, signal);
      handle ??= await openFile(item.path);
      const bytes = await readExactly(handle, position, end - position);
      await write(target, bytes, signal);
      position = end;
    }
  } finally {
    await handle?.close();
  }
}

/** What one reader wants of the swarm: the index first, then a window ahead of its position. */
class ReaderWindow implements Disposable {
  readonly #reading: Reading;
  readonly #indexReaders: string[] = [];
  #wantedFrom = Number.NEGATIVE_INFINITY;

  constructor(reading: Reading) {
    this.#reading = reading;
    const { item, reader } = reading;
    for (const [number, range] of item.indexRanges.entries()) {
      if (item.have(range.from, range.to)) continue;
      const indexReader = `${reader} index ${number}`;
      this.#indexReaders.push(indexReader);
      item.want(indexReader, range.from, range.to);
    }
  }

  moveTo(position: number): void {
    const { item, reader, to } = this.#reading;
    if (position - this.#wantedFrom < WINDOW_STEP) return;
    this.#wantedFrom = position;
    item.want(reader, position, Math.min(position + LOOK_AHEAD, to));
  }

  [Symbol.dispose](): void {
    const { item, reader } = this.#reading;
    for (const each of [reader, ...this.#indexReaders]) item.drop(each);
  }
}

async function waitForBytes(
  item: PlayableItem,
  from: number,
  to: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  if (item.have(from, to)) return;
  const arrived = new AbortController();
  const limited = AbortSignal.any([signal, arrived.signal]);
  const stalled = clock.sleep(STALL_MS, limited).then(() => {
    throw new AppError('timed-out', 'no bytes arrived for too long');
  });
  try {
    await Promise.race([item.waitFor(from, to, limited), stalled]);
  } finally {
    arrived.abort();
    // The sleeper rejects with the abort above; nobody waits for it any more.
    stalled.catch(() => undefined);
  }
}

/** Follows no link in the last place: what is served is the file that was written or shared. */
async function openFile(path: string): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  } catch (error) {
    throw new AppError('file-missing', 'the file cannot be opened', {}, error);
  }
  if ((await handle.stat()).isFile()) return handle;
  await handle.close();
  throw new AppError('file-missing', 'what is under this name is no file');
}

async function readExactly(handle: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw new AppError('file-changed', 'the file is shorter than it was');
    done += bytesRead;
  }
  return bytes;
}

function write(target: Writable, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  if (target.destroyed) throw new AppError('cancelled', 'the reader went away');
  if (target.write(bytes)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      target.off('drain', settle);
      target.off('close', settle);
      signal.removeEventListener('abort', settle);
      if (signal.aborted || target.destroyed) reject(new AppError('cancelled', 'the reader went away'));
      else resolve();
    };
    target.on('drain', settle);
    target.on('close', settle);
    signal.addEventListener('abort', settle, { once: true });
  });
}
