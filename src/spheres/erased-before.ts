import type { Clock } from '../base/clock.ts';
import type { Storage } from '../storage/storage.ts';
import { devicesToEnd } from './devices-to-end.ts';
import { UNDO_MS } from './item-removal.ts';
import type { LogExchange } from './log-exchange.ts';
import { ReadArchives } from './read-archives.ts';
import type { Rooms } from './rooms.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface ErasedBeforeDeps {
  readonly storage: Pick<Storage, 'settings' | 'transaction'>;
  readonly list: Pick<SphereList, 'ofRoom'>;
  readonly rooms: Pick<Rooms, 'isCaughtUp' | 'isGone'>;
  readonly logs: Pick<LogExchange, 'isComplete' | 'isExhausted'>;
  readonly clock: Clock;
}

/**
 * What was taken away before this moment is erased: nobody can put it back any more, and we would have learned of it.
 * With a gap that nobody fills the word that puts it back may be in it; it has once more as long to come.
 */
export function erasedBefore(deps: ErasedBeforeDeps, sphere: Sphere): number {
  const { logs, storage, clock } = deps;
  const { state, room } = sphere.row;
  const now = clock.now();
  // One that is being removed may be stolen: nothing is believed to be all because it says so.
  const toEnd = devicesToEnd(storage);
  const isAlone = [...sphere.state.devices.keys()].every((device) => device === sphere.device || toEnd.has(device));
  const isUpToDate = isAlone ? new ReadArchives(deps).isRead(room) : logs.isComplete(sphere, toEnd);
  if (state === 'left' || state === 'removed' || isUpToDate) return now - UNDO_MS;
  return logs.isExhausted(sphere, toEnd) ? now - 2 * UNDO_MS : -Infinity;
}
