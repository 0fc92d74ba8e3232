// BEP 3: peer messages about blocks
import type { BlockHeader } from './wire-framer.ts';

const UNCHOKE = 1;
const REQUEST = 6;
const PIECE = 7;
const CANCEL = 8;
const LENGTH_BYTES = 4;
const QUESTION_BYTES = 13;
const BLOCK_HEADER_BYTES = 9;

export const unchokeMessage = (): Buffer => Buffer.of(0, 0, 0, 1, UNCHOKE);
export const requestMessage = (block: BlockHeader): Buffer => question(REQUEST, block);
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

function question(id: number, { piece, offset, length }: BlockHeader): Buffer {
  const message = Buffer.allocUnsafe(LENGTH_BYTES + QUESTION_BYTES);
  message.writeUInt32BE(QUESTION_BYTES, 0);
  message[4] = id;
  message.writeUInt32BE(piece, 5);
  message.writeUInt32BE(offset, 9);
  message.writeUInt32BE(length, 13);
  return message;
}
