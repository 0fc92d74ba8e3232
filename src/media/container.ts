import type { Probe } from '../contract/media.ts';

/** What a container tells about itself without any decoder. */
export interface ContainerFacts {
  readonly durationMs: number | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly streams: Probe['streams'];
  readonly indexRanges: Probe['indexRanges'];
}

export const NO_FACTS: ContainerFacts = { durationMs: null, width: null, height: null, streams: [], indexRanges: [] };

/** A positive whole number or null: hostile files claim anything. */
export function plausible(value: number, max: number): number | null {
  return Number.isFinite(value) && value > 0 && value <= max ? Math.round(value) : null;
}

/** A year: longer than any film, short enough for arithmetic. */
export const MAX_DURATION_MS = 366 * 24 * 3600 * 1000;
export const MAX_SIDE = 65_535;
