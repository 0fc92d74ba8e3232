import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** One for all: each socket's bytes are taken before the next socket is read. */
const BUFFER = Buffer.allocUnsafeSlow(256 * 1024);
const PARTS = ['kBuffer', 'kBufferCb'] as const;

interface Handle {
  useUserBuffer?: (buffer: Uint8Array) => void;
}

/**
 * Has Node read an accepted or dialled socket into one buffer that is used again and again, as its `onread` option does
 * for sockets that are made with it; memory for each read costs more than all else that is done with the bytes. False
 * when this stream, or this version of Node, cannot do that: then nothing was changed and 'data' goes on. To be called
 * when nothing lies unread in the stream; `take` must not keep what it is given.
 */
export function readIntoOneBuffer(stream: Duplex, take: (bytes: Buffer) => void): boolean {
  if (!(stream instanceof Socket) || stream.readableLength > 0) return false;
  const { _handle: handle } = stream as Socket & { _handle?: Handle | null };
  const symbols = Object.getOwnPropertySymbols(stream);
  const [buffer, callback] = PARTS.map((name) => symbols.find(({ description }) => description === name));
  if (typeof handle?.useUserBuffer !== 'function' || buffer === undefined || callback === undefined) return false;
  handle.useUserBuffer(BUFFER);
  Object.assign(stream, {
    [buffer]: BUFFER,
    [callback]: (length: number, bytes: Buffer) => {
      take(bytes.subarray(0, length));
      return true;
    },
  });
  return true;
}
