import type { TorrentState } from '../contract/swarm.ts';

/** What is so of a torrent at a moment; `states.md` says what each state means and which may follow which. */
export interface TorrentCircumstances {
  /** Something no waiting mends. */
  readonly hasFailed: boolean;
  readonly fault: 'changed' | 'missing' | null;
  readonly isStarted: boolean;
  readonly isPaused: boolean;
  /** Every byte is on the disk, synced. */
  readonly isSettled: boolean;
  readonly isDiskFull: boolean;
  /** Whether a piece is to come now (any, one of chosen files, or of a window), or those of chosen files are not synced. */
  readonly lacksWanted: boolean;
  /** Whether only some of it is to come. */
  readonly isChosen: boolean;
}

/** The first that applies. */
export function torrentPhase(is: TorrentCircumstances): TorrentState['state'] {
  if (is.hasFailed) return 'failed';
  if (is.fault !== null) return is.fault;
  if (!is.isStarted) return 'starting';
  if (is.isPaused) return 'paused';
  if (is.isSettled) return 'complete';
  if (is.isDiskFull) return 'disk-full';
  return is.isChosen && !is.lacksWanted ? 'partial' : 'downloading';
}
