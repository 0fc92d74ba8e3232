// BEP 3: peer messages about blocks
import type { BlockHeader } from './wire-framer.ts';

const UNCHOKE = 1;
const REQUEST = 6;
const PIECE = 7;
const CANCEL = 8;
const REJECT = 16;
const LENGTH_BYTES = 4;
const QUESTION_BYTES = 13;
const BLOCK_HEADER_BYTES = 9;

export const unchokeMessage = (): Buffer => Buffer.of(0, 0, 0, 1, UNCHOKE);
export const requestMessage = (block: BlockHeader): Buffer => question(REQUEST, block);
/** BEP 6. */
export const rejectMessage = (block: BlockHeader): Buffer => question(REJECT, block);
export const cancelMessage = (block: BlockHeader): Buffer => question(CANCEL, block);

/** What stands before the `length` bytes of a block. */
export function blockHeader(piece: number, offset: number, length: number): Buffer {
  const message = Buffer.allocUnsafe(LENGTH_BYTES + BLOCK_HEADER_BYTES);
  message.writeUInt32BE(BLOCK_HEADER_BYTES + length, 0);
  message[4] = PIECE;
  message.writeUInt32BE(piece, 5);
  message.writeUInt32BE(offset, 9);
  return message;
}

/** How long a message is, as it stands in front of it. */
export function lengthOf(message: Uint8Array): Buffer {
  const length = Buffer.allocUnsafe(LENGTH_BYTES);
  length.writeUInt32BE(message.length);
  return length;
}

export function framed(message: Uint8Array): Buffer {
  return Buffer.concat([lengthOf(message), message]);
}

/** What a request, a cancel or a reject is about; of a have only the piece is there. */
export function blockOf(message: Uint8Array): BlockHeader {
  return { piece: uint32(message, 1), offset: uint32(message, 5), length: uint32(message, 9) };
}

/** The block that a piece message brings. */
export function pieceOf(message: Uint8Array): BlockHeader {
  return { piece: uint32(message, 1), offset: uint32(message, 5), length: message.length - 9 };
}

/** One text for each block. */
export function keyOf({ piece, offset, length }: BlockHeader): string {
  return `${piece} ${offset} ${length}`;
}

/** 0 where the message ends before. */
function uint32(bytes: Uint8Array, at: number): number {
  return at + 4 > bytes.length ? 0 : new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(at);
}

function question(id: number, { piece, offset, length }: BlockHeader): Buffer {
  const message = Buffer.allocUnsafe(LENGTH_BYTES + QUESTION_BYTES);
  message.writeUInt32BE(QUESTION_BYTES, 0);
  message[4] = id;
  message.writeUInt32BE(piece, 5);
  message.writeUInt32BE(offset, 9);
  message.writeUInt32BE(length, 13);
  return message;
}
