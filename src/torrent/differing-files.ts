import type { Successor } from './store-file.ts';

interface Comparison {
  /** Files that look otherwise than they did, by their index. */
  readonly touched: ReadonlyMap<number, Successor>;
  readonly pieceCount: number;
  readonly filesOf: (piece: number) => readonly number[];
  /** Whether the piece is right, with what the touched files are now in it. */
  readonly isWhole: (piece: number) => Promise<boolean>;
}

/** Those of the touched files that do not have all of their content. */
export async function differingFiles(
  { touched, pieceCount, filesOf, isWhole }: Comparison,
  signal: AbortSignal,
): Promise<Set<number>> {
  const bad = new Set<number>();
  try {
    for (let piece = 0; piece < pieceCount; piece += 1) {
      signal.throwIfAborted();
      const files = filesOf(piece).filter((file) => touched.has(file));
      if (files.every((file) => bad.has(file)) || (await isWhole(piece))) continue;
      for (const file of files) bad.add(file);
    }
  } finally {
    for (const { file } of touched.values()) await file.close();
  }
  return bad;
}
