import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { AppError } from '../base/errors.ts';
import type { Bencoded } from './bencode/bencode.ts';
import { decode, isDict } from './bencode/bencode.ts';
import type { Span } from './byte-space.ts';
import { ByteSpace } from './byte-space.ts';
import { cipherKey, cipherStream } from './cipher.ts';
import { openFile } from './contained-file.ts';
import { fileError } from './file-error.ts';
import type { HashRequest } from './hash-request.ts';
import { DIGEST_BYTES, pieceCount } from './metainfo.ts';

const READ_BYTES = 128 * 1024;

/**
 * The digests of an item's pieces by create-torrent, on this thread and in the plainest way: for where our own hasher does
 * not do what it should. It is given one stream of bytes, and sees no file and no name.
 */
export async function stockHash(
  request: HashRequest,
  onBytes: (bytesDone: number) => void,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  const { default: createTorrent } = await import('create-torrent');
  const input = Object.assign(Readable.from(bytesOf(request, onBytes, signal)), { name: 'data' });
  const options = { name: 'data', private: true, pieceLength: request.pieceLength, announceList: [] };
  const torrent = await new Promise<Uint8Array>((resolve, reject) => {
    // A stream that fails ends the callback's wait only here.
    input.once('error', reject);
    createTorrent(input, options, (error, made) => (error === null ? resolve(made) : reject(error)));
  });
  const pieces = piecesOf(decode(new Uint8Array(torrent)) ?? '');
  if (pieces?.length === pieceCount(request) * DIGEST_BYTES) return Uint8Array.from(pieces);
  throw new AppError('internal', 'create-torrent gave other pieces than asked for');
}

function piecesOf(torrent: Bencoded): Uint8Array | undefined {
  const info = isDict(torrent) ? torrent['info'] : undefined;
  const pieces = isDict(info) ? info['pieces'] : undefined;
  return pieces instanceof Uint8Array ? pieces : undefined;
}

async function* bytesOf(
  { segments, length, pieceLength, mediaKey }: HashRequest,
  onBytes: (bytesDone: number) => void,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const space = new ByteSpace(segments, length);
  const cipher = mediaKey === null ? null : cipherStream(cipherKey(mediaKey), 0);
  await using reader = new SpanReader(space);
  for (let piece = 0; piece < length; piece += pieceLength) {
    for (const span of space.plan(piece, Math.min(pieceLength, length - piece))) {
      for (let at = 0; at < span.length; at += READ_BYTES) {
        signal.throwIfAborted();
        const plain = await reader.read(span, at, Math.min(READ_BYTES, span.length - at));
        yield Buffer.from(cipher === null ? plain : cipher.update(plain));
        onBytes(piece + span.at + at + plain.length);
      }
    }
  }
}

/** Reads one file after the other. */
class SpanReader implements AsyncDisposable {
  readonly #space: ByteSpace;
  #open: { readonly file: number; readonly handle: FileHandle } | null = null;

  constructor(space: ByteSpace) {
    this.#space = space;
  }

  async read(span: Span, at: number, length: number): Promise<Uint8Array> {
    if (span.kind === 'padding') return new Uint8Array(length);
    if (span.kind === 'bytes') return span.bytes.subarray(at, at + length);
    const path = this.#space.files[span.file]?.path ?? '';
    const bytes = new Uint8Array(length);
    try {
      const handle = await this.#file(span.file, path);
      for (let read = 0; read < length;) {
        const { bytesRead } = await handle.read(bytes, read, length - read, span.position + at + read);
        if (bytesRead === 0) throw new AppError('file-changed', 'a file changed while it was hashed', { path });
        read += bytesRead;
      }
    } catch (cause) {
      throw fileError(cause, 'cannot read a file to hash it', { path });
    }
    return bytes;
  }

  async #file(file: number, path: string): Promise<FileHandle> {
    if (this.#open?.file === file) return this.#open.handle;
    await this[Symbol.asyncDispose]();
    const handle = await openFile(path);
    this.#open = { file, handle };
    return handle;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = this.#open;
    this.#open = null;
    await open?.handle.close();
  }
}
