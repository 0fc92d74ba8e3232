// BEP 3: the handshake of peers
import { createHash } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { equalBytes, toHex, toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey, InfoHash } from '../base/id.ts';
import { parseDeviceKey, parseInfoHash } from '../base/id.ts';
import { readExactly } from './stream-reader.ts';

const PROTOCOL = toUtf8('\u0013BitTorrent protocol');
const RESERVED_BYTES = 8;
const HASH_BYTES = 20;
const HEAD_BYTES = PROTOCOL.length + RESERVED_BYTES + HASH_BYTES;

/**
 * Which torrent a stranger who called wants; everything that was read is put back. Fails with `bad-input` for anything but
 * the plain protocol.
 */
export async function readWantedHash(stream: Duplex, signal: AbortSignal): Promise<InfoHash> {
  const head = await readExactly(stream, HEAD_BYTES, signal);
  if (!equalBytes(head.subarray(0, PROTOCOL.length), PROTOCOL)) throw new AppError('bad-input', 'not BitTorrent');
  stream.unshift(head);
  return parseInfoHash(toHex(head.subarray(HEAD_BYTES - HASH_BYTES)));
}

/** What stands for the device of a stranger, who has no key: one for all connections from one address. */
export function strangerAt(host: string): DeviceKey {
  return parseDeviceKey(createHash('sha256').update(`stranger ${host}`).digest('hex'));
}
