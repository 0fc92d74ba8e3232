import type { DeviceKey } from '../base/id.ts';
import type { Route } from './route.ts';

interface BothWays {
  readonly down: number;
  readonly up: number;
}

/** One admitted connection of one torrent, in whichever lane its pieces travel. */
export interface Link {
  readonly device: DeviceKey;
  readonly route: Route;
  readonly weDialled: boolean;
  /** Admitted by nobody: the item was opened to other programs. */
  readonly isStranger: boolean;
  /** Blocks, in bytes per second. */
  readonly rates: BothWays;
  /** Blocks, in bytes since the start. */
  readonly moved: BothWays;
  /** Nothing was heard for so long; 0 while our own limit lets us read nothing. */
  readonly silentMs: number;
  /** Since the last block, in either direction. */
  readonly idleMs: number;
  readonly ageMs: number;
  /** Answers are overdue: the other end, or the network between, may be gone. */
  readonly isSuspect: boolean;
  /** The device at the other end gives hardly anything of this torrent. */
  readonly isBarren: boolean;
  /** Whether it was we who ended it. */
  readonly isLetGo: boolean;
  destroy(): void;
}
