// BEP 3: peer messages, BEP 6: Fast Extension, BEP 10: Extension Protocol
import { AppError } from '../base/errors.ts';
import type { Bencoded } from './bencode/bencode.ts';
import { decodeCanonical, isDict } from './bencode/bencode.ts';
import type { PeerCapacity } from './block-requests.ts';
import { REQUEST_QUEUE } from './uploads.ts';

/** Answered to whoever asks; BEP 3 promises 16 KiB only. */
export const LARGEST_BLOCK = 128 * 1024;
const SMALLEST_BLOCK = 16 * 1024;
const SHORTEST_PIECE = 10;
const LARGEST_EXTENDED_HANDSHAKE = 4096;
const PROTOCOL_VERSION = 'Spherecast';

/** The geometry a peer's messages must fit. */
export interface WireGeometry {
  readonly pieceCount: number;
  readonly pieceSize: (index: number) => number;
}

const BITFIELD = 5;
const REQUEST = 6;
const PIECE = 7;
const CANCEL = 8;
const REJECT = 16;
const EXTENDED = 20;
/** Messages of one fixed length, id included; every other length is refused. */
const FIXED_LENGTHS: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 1,
  3: 1,
  4: 5,
  [REQUEST]: 13,
  [CANCEL]: 13,
  14: 1,
  15: 1,
  [REJECT]: 13,
};

/** What we say of ourselves by the Extension Protocol: what we keep, and no extension. */
export const OUR_HANDSHAKE: Readonly<Record<string, number | string>> = {
  block: LARGEST_BLOCK,
  reqq: REQUEST_QUEUE,
  v: PROTOCOL_VERSION,
};

/** Of a peer's extended handshake only what it keeps is read, into `capacity`. Fails with `bad-input`. */
export function readCapacity(bytes: Uint8Array, capacity: PeerCapacity): void {
  const { reqq, block } = readExtendedHandshake(bytes);
  if (reqq !== undefined) capacity.queue = Math.min(reqq, REQUEST_QUEUE);
  if (block !== undefined) capacity.block = Math.max(SMALLEST_BLOCK, Math.min(block, LARGEST_BLOCK));
}

/**
 * `known`: an honest peer could have sent it, and it means something here; `extended`: of the Extension Protocol;
 * `idle`: of no use. Fails with `bad-input` for what no honest peer sends.
 */
export function judgeMessage(message: Uint8Array, geometry: WireGeometry): 'known' | 'extended' | 'idle' {
  const id = message[0] ?? -1;
  if (id === EXTENDED) return 'extended';
  const fixed = FIXED_LENGTHS[id];
  // Unknown messages, ports, suggestions and allowed-fast sets are of no use here.
  if (fixed === undefined && id !== BITFIELD && id !== PIECE) return 'idle';
  if (fixed !== undefined && message.length !== fixed) throw refused('length', id);
  if (id === PIECE && message.length < SHORTEST_PIECE) throw refused('length', id);
  if (id === BITFIELD) checkBitfield(message.subarray(1), geometry.pieceCount);
  else if (id === PIECE) checkBlock(uint32(message, 1), uint32(message, 5), message.length - 9, geometry);
  else if (id === REQUEST || id === CANCEL || id === REJECT) {
    checkBlock(uint32(message, 1), uint32(message, 5), uint32(message, 9), geometry);
  } else if (id === 4 && uint32(message, 1) >= geometry.pieceCount) throw refused('piece', id);
  return 'known';
}

/** Hands one message to the wire unless it is idle; fails as `judgeMessage` does. Blocks do not come this way, but one that is cut short is judged here. */
export function dispatchMessage(
  wire: { receive(message: Uint8Array): void },
  message: Uint8Array,
  geometry: WireGeometry,
): void {
  if (judgeMessage(message, geometry) !== 'idle') wire.receive(message);
}

function checkBitfield(bits: Uint8Array, pieceCount: number): void {
  if (bits.length !== Math.ceil(pieceCount / 8)) throw refused('length', BITFIELD);
  const spare = bits.length * 8 - pieceCount;
  // BEP 3: spare bits at the end are zero.
  if (((bits.at(-1) ?? 0) & ((1 << spare) - 1)) !== 0) throw refused('spare bits', BITFIELD);
}

/** Fails with `bad-input` when no block of the torrent lies there. */
export function checkBlock(index: number, offset: number, length: number, geometry: WireGeometry): void {
  if (index >= geometry.pieceCount) throw refused('piece', index);
  if (length < 1 || length > LARGEST_BLOCK || offset + length > geometry.pieceSize(index)) {
    throw refused('block', index);
  }
}

function readExtendedHandshake(bytes: Uint8Array): { reqq?: number; block?: number } {
  if (bytes.length > LARGEST_EXTENDED_HANDSHAKE) throw refused('length', EXTENDED);
  let handshake: Bencoded;
  try {
    handshake = decodeCanonical(bytes, LARGEST_EXTENDED_HANDSHAKE);
  } catch (error) {
    throw new AppError('bad-input', 'extended handshake is not bencode', {}, error);
  }
  if (!isDict(handshake)) throw refused('type', EXTENDED);
  const { reqq, block } = handshake;
  return {
    ...(typeof reqq === 'number' && reqq > 0 ? { reqq } : {}),
    ...(typeof block === 'number' && block > 0 ? { block } : {}),
  };
}

function uint32(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(offset);
}

function refused(what: string, of: number): AppError {
  return new AppError('bad-input', `peer message with an impossible ${what}`, { of });
}
