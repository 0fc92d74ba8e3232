// Spherecast wire format, "Admission": purpose "probe"
import type { Duplex } from 'node:stream';
import { toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { parseEndpoint } from './endpoint.ts';
import { readExactly, writeAll } from './stream-reader.ts';

const MOST_BYTES = 64;

/** Tells the caller from which `host:port` its stream comes: length (8 bits) ‖ text, then the end of the stream. */
export async function sendSeenAddress(stream: Duplex, endpoint: string, signal: AbortSignal): Promise<void> {
  const text = toUtf8(endpoint);
  if (text.length > MOST_BYTES) throw new AppError('internal', 'not an address', { bytes: text.length });
  await writeAll(stream, Uint8Array.of(text.length, ...text), signal);
  stream.end();
}

/** Fails with `bad-input` for anything that is not an address with its port. */
export async function receiveSeenAddress(stream: Duplex, signal: AbortSignal): Promise<string> {
  const [length = 0] = await readExactly(stream, 1, signal);
  if (length === 0 || length > MOST_BYTES) throw new AppError('bad-input', 'no address has that length', { length });
  const text = new TextDecoder().decode(await readExactly(stream, length, signal));
  if (parseEndpoint(text) === undefined) throw new AppError('bad-input', 'not an address');
  return text;
}
