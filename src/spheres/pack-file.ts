import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import type { SphereId } from '../base/id.ts';
import type { RandomBytes } from '../base/random.ts';
import { fileError } from '../torrent/file-error.ts';
import type { EnvelopeEntry } from './protocol/envelope.ts';
import { encodedLength } from './protocol/envelope.ts';
import { CHUNK_HEAD_BYTES, MAX_CHUNK_BYTES, MAX_PACK_BYTES, PackChunks } from './protocol/history-pack.ts';

/** Which pack a file is of. */
export interface PackKey {
  readonly key: Uint8Array;
  readonly sphereId: SphereId;
}

/** What is packed together before encryption: enough to pack well, and written down in a moment that nobody notices. */
const CHUNK_BYTES = 64 * 1024;
/** Of all entries together: what packs well must not fill the disk of whoever unpacks it. */
const MAX_UNPACKED_BYTES = 1024 * 1024 * 1024;

/**
 * Writes entries into a file, encrypted, as many as a pack may hold; resolves with the file's length. Whatever reads this
 * disk reads nothing in it.
 */
export async function writePack(
  path: string,
  pack: PackKey & { readonly entries: AsyncIterable<EnvelopeEntry>; readonly random: RandomBytes },
  mostUnpacked = MAX_UNPACKED_BYTES,
): Promise<number> {
  const chunks = new PackChunks(pack);
  try {
    await using file = await open(path, 'wx', 0o600);
    let [bytes, index, unpacked] = [0, 0, 0];
    const write = async (entries: readonly EnvelopeEntry[], isLast: boolean): Promise<void> => {
      const sealed = chunks.seal({ index, isLast }, entries, pack.random);
      await file.write(sealed);
      bytes += sealed.length;
      index += 1;
    };
    let waiting: readonly EnvelopeEntry[] | undefined;
    for await (const group of inGroups(pack.entries)) {
      unpacked += lengthOf(group);
      if (waiting !== undefined && unpacked > mostUnpacked) break;
      if (waiting !== undefined) await write(waiting, false);
      waiting = group;
      // What has no room is asked for anew.
      if (bytes > MAX_PACK_BYTES - 2 * MAX_CHUNK_BYTES) break;
    }
    if (waiting === undefined) throw new AppError('internal', 'a pack without entries');
    await write(waiting, true);
    // Served from now on: what a power cut leaves of it must be all of it.
    await file.sync();
    return bytes;
  } catch (error) {
    throw fileError(error, 'the pack cannot be written', { path });
  }
}

/** The chunks of a pack from `from` on. Fails with `forged` and the like where it is not what was packed. */
export async function* readPack(
  path: string,
  pack: PackKey,
  from: number,
  mostUnpacked = MAX_UNPACKED_BYTES,
): AsyncGenerator<readonly EnvelopeEntry[]> {
  const chunks = new PackChunks(pack);
  try {
    await using file = await open(path, 'r');
    let [position, unpacked] = [0, 0];
    for (let index = 0; ; index += 1) {
      const length = (await readAt(file, position, CHUNK_HEAD_BYTES)).readUInt32BE(0);
      if (length > MAX_CHUNK_BYTES) throw new AppError('forged', 'a chunk is too long', { index, length });
      // Only the one before tells whether there is another.
      const sealed = index < from - 1 ? null : await readAt(file, position + CHUNK_HEAD_BYTES, length);
      position += CHUNK_HEAD_BYTES + length;
      if (sealed === null) continue;
      const { isLast, entries } = chunks.open(index, sealed);
      unpacked += lengthOf(entries);
      if (unpacked > mostUnpacked) throw new AppError('too-large', 'the pack holds too much', { index });
      if (index >= from) yield entries;
      if (isLast) return;
    }
  } catch (error) {
    throw fileError(error, 'the pack cannot be read', { path });
  }
}

async function* inGroups(entries: AsyncIterable<EnvelopeEntry>): AsyncGenerator<readonly EnvelopeEntry[]> {
  let group: EnvelopeEntry[] = [];
  let bytes = 0;
  for await (const entry of entries) {
    const length = encodedLength(entry);
    if (group.length > 0 && bytes + length > CHUNK_BYTES) {
      yield group;
      [group, bytes] = [[], 0];
    }
    group.push(entry);
    bytes += length;
  }
  if (group.length > 0) yield group;
}

function lengthOf(entries: readonly EnvelopeEntry[]): number {
  return entries.reduce((bytes, entry) => bytes + encodedLength(entry), 0);
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead < length) throw new AppError('forged', 'the pack ends too early', { position });
  return buffer;
}
