import type { ByteSpace, Span } from './byte-space.ts';
import { eachSpan } from './each-span.ts';
import type { ManyFiles } from './file-thread.ts';
import type { PieceCrypto, PieceJob, PieceMarks } from './piece-crypto.ts';
import type { PieceMemory } from './piece-memory.ts';
import type { PieceTags } from './piece-tags.ts';

/** What the stores of one host share: those of public torrents have memory of their own. */
export interface PieceTools extends PieceMemory {
  readonly crypto: PieceCrypto;
  readonly tags: PieceTags;
  /** For folders of many small files; every file goes the usual way when left out. */
  readonly small?: ManyFiles;
}

/** How the bytes of files come into a piece. */
export interface ReadFiles {
  /** Fills `part` from a file's position. */
  readonly read: (file: number, part: Uint8Array, position: number) => Promise<void>;
  /** Fills what it can of the whole piece at once, and gives the spans that are done. */
  readonly readWhole?: (spans: readonly Span[], memory: Uint8Array) => Promise<ReadonlySet<Span>>;
}

/** A piece as it goes to the swarm. */
export interface SealedPiece extends PieceMarks {
  readonly piece: Buffer<SharedArrayBuffer>;
}

/** By what the piece will be compared. */
export type SealCheck = Pick<Required<PieceJob>, 'digested' | 'unlockTag'>;

interface Sealing {
  readonly space: ByteSpace;
  readonly tools: PieceTools;
  readonly key: Uint8Array | null;
}

interface Range {
  readonly offset: number;
  readonly length: number;
}

/** Puts a piece together from files, inline bytes and padding, and enciphers it where there is a key. */
export function sealPiece(
  store: Sealing,
  what: Range & SealCheck,
  from: ReadFiles,
  signal: AbortSignal,
): Promise<SealedPiece> {
  return store.tools.turns.run(what.length, () => seal(store, what, from), signal);
}

async function seal(
  { space, tools, key }: Sealing,
  { offset, length, ...check }: Range & SealCheck,
  { read, readWhole }: ReadFiles,
): Promise<SealedPiece> {
  const into = tools.sealed.take(length);
  const from = key === null ? into : tools.plain.take(length);
  try {
    const spans = space.plan(offset, length);
    const done = await readWhole?.(spans, from);
    await eachSpan(spans, async (span) => {
      if (done?.has(span) === true) return;
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
