// Spherecast wire format, "Admission": purpose "metainfo"
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { equalBytes } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { MAX_METAINFO_BYTES } from './metainfo.ts';
import { readExactly, writeAll } from './stream-reader.ts';

/** length (32 bits, big-endian) ‖ metainfo, then the end of the stream. */
export async function sendMetainfo(stream: Duplex, metainfo: Uint8Array, signal: AbortSignal): Promise<void> {
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, metainfo.length);
  await writeAll(stream, head, signal);
  await writeAll(stream, metainfo, signal);
  stream.end();
}

export async function receiveMetainfo(
  stream: Duplex,
  expected: { sha256: Uint8Array; maxBytes: number },
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const head = await readExactly(stream, 4, signal);
  const length = new DataView(head.buffer, head.byteOffset, 4).getUint32(0);
  if (length === 0 || length > Math.min(expected.maxBytes, MAX_METAINFO_BYTES)) {
    throw new AppError('too-large', 'the offered metainfo has an impossible length', { length });
  }
  const chunks: Uint8Array[] = [];
  let left = length;
  while (left > 0) {
    const chunk = await readExactly(stream, Math.min(left, 64 * 1024), signal);
    chunks.push(chunk);
    left -= chunk.length;
  }
  const metainfo = new Uint8Array(Buffer.concat(chunks));
  if (!equalBytes(createHash('sha256').update(metainfo).digest(), expected.sha256)) {
    throw new AppError('forged', 'the metainfo is not the announced one');
  }
  return metainfo;
}
