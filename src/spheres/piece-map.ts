import { hasBit } from '../base/bitfield.ts';

/** Which pieces of a torrent are on this disk, asked in bytes. */
export interface PieceMap {
  readonly bitfield: Uint8Array | null;
  readonly pieceLength: number;
}

/** Whether every byte of [from, to) is verified on disk. An empty range always is. */
export function hasRange(map: PieceMap, from: number, to: number): boolean {
  if (to <= from) return true;
  const last = Math.floor((to - 1) / map.pieceLength);
  for (let piece = Math.floor(from / map.pieceLength); piece <= last; piece += 1) {
    if (!hasBit(map.bitfield, piece)) return false;
  }
  return true;
}

/** A bitfield with the first `pieces` bits set; the spare bits of the last byte are zero, as BEP 3 demands. */
export function fullBitfield(pieces: number): Uint8Array<ArrayBuffer> {
  const bitfield = new Uint8Array(Math.ceil(pieces / 8)).fill(0xff);
  const spare = bitfield.length * 8 - pieces;
  if (spare > 0) bitfield[bitfield.length - 1] = (0xff << spare) & 0xff;
  return bitfield;
}

/** Whether all of the first `pieces` bits are set. */
export function isComplete(bitfield: Uint8Array | null, pieces: number): boolean {
  for (let piece = 0; piece < pieces; piece += 1) {
    if (!hasBit(bitfield, piece)) return false;
  }
  return true;
}
