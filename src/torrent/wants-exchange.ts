// Spherecast wire format, "Admission": purpose "wants"
import type { Duplex } from 'node:stream';
import { concatBytes, fromHex, toHex } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { InfoHash } from '../base/id.ts';
import { parseInfoHash } from '../base/id.ts';
import { readExactly, writeAll } from './stream-reader.ts';

const HASH_BYTES = 20;
/** Who wants more is asked again. */
export const MOST_WANTS = 256;

/** count (16 bits, big-endian) ‖ infohashes of the first `MOST_WANTS`. */
export function encodeWants(wants: readonly InfoHash[]): Uint8Array {
  const told = wants.slice(0, MOST_WANTS);
  const head = new Uint8Array(2);
  new DataView(head.buffer).setUint16(0, told.length);
  return concatBytes(head, ...told.map((infoHash) => fromHex(infoHash) ?? new Uint8Array(HASH_BYTES)));
}

/** Then the stream ends. */
export async function sendWants(stream: Duplex, wants: readonly InfoHash[], signal: AbortSignal): Promise<void> {
  await writeAll(stream, encodeWants(wants), signal);
  stream.end();
}

/** Fails with `too-large` or `disconnected`. */
export async function receiveWants(stream: Duplex, signal: AbortSignal): Promise<InfoHash[]> {
  const head = await readExactly(stream, 2, signal);
  const count = new DataView(head.buffer, head.byteOffset, 2).getUint16(0);
  if (count > MOST_WANTS) throw new AppError('too-large', 'nobody wants so much at once', { count });
  if (count === 0) return [];
  const hashes = await readExactly(stream, count * HASH_BYTES, signal);
  return Array.from({ length: count }, (_, index) =>
    parseInfoHash(toHex(hashes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES))),
  );
}
