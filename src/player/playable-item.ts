/** A file that may still be on its way; all positions are bytes of this file, `to` is exclusive. */
export interface PlayableItem {
  readonly size: number;
  /** Absolute. The file exists at the latest when the first byte is there. */
  readonly path: string;
  /** MIME type by content; null when it was never probed. */
  readonly type: string | null;
  /** What a player reads before the first frame. */
  readonly indexRanges: readonly { readonly from: number; readonly to: number }[];
  /** Whether these bytes are verified and on disk. */
  have(from: number, to: number): boolean;
  /** Resolves once `have(from, to)`; rejects when that will never be. */
  waitFor(from: number, to: number, signal: AbortSignal): Promise<void>;
  /** Asks for these bytes before all others; replaces what the same reader asked for before. */
  want(reader: string, from: number, to: number): void;
  drop(reader: string): void;
}
