import type { ByteSpace } from './byte-space.ts';
import { eachSpan } from './each-span.ts';
import type { PieceBuffers } from './piece-buffers.ts';
import type { PieceCrypto, PieceJob, PieceMarks } from './piece-crypto.ts';
import type { PieceTags } from './piece-tags.ts';

/** What all stores of a process share; plain bytes and what goes to peers never lie in the same memory. */
export interface PieceTools {
  readonly crypto: PieceCrypto;
  readonly plain: PieceBuffers;
  readonly sealed: PieceBuffers;
  readonly tags: PieceTags;
}

/** Fills `part` from a file's position. */
export type ReadFile = (file: number, part: Uint8Array, position: number) => Promise<void>;

/** A piece as it goes to the swarm. */
export interface SealedPiece extends PieceMarks {
  readonly piece: Buffer<SharedArrayBuffer>;
}

/** By what the piece will be compared. */
export type SealCheck = Pick<Required<PieceJob>, 'digested' | 'unlockTag'>;

/** Puts a piece together from files, inline bytes and padding, and enciphers it where there is a key. */
export async function sealPiece(
  { space, tools, key }: { space: ByteSpace; tools: PieceTools; key: Uint8Array | null },
  { offset, length, ...check }: SealCheck & { offset: number; length: number },
  read: ReadFile,
): Promise<SealedPiece> {
  const into = tools.sealed.take(length);
  const from = key === null ? into : tools.plain.take(length);
  try {
    await eachSpan(space.plan(offset, length), async (span) => {
      const part = from.subarray(span.at, span.at + span.length);
      if (span.kind === 'padding') part.fill(0);
      else if (span.kind === 'bytes') part.set(span.bytes);
      else await read(span.file, part, span.position);
    });
    const { plainKey } = tools.tags;
    const marks = await tools.crypto.run({ kind: 'lock', from, into, key, plainKey, offset, ...check });
    return { piece: into, ...marks };
  } finally {
    if (from !== into) tools.plain.give(from);
  }
}
