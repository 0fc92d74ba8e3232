import type { DeviceKey, InfoHash, SphereId } from '../base/id.ts';
import type { Callee } from './call-list.ts';
import type { Attempts, Known, Urgency } from './call-pace.ts';
import type { CallKind } from './calls-under-way.ts';
import type { Satisfied } from './satisfied.ts';
import type { Appetite } from './torrent-spec.ts';

/** One torrent that may want connections. */
export interface DialTorrent {
  readonly sphereId: SphereId;
  readonly infoHash: InfoHash;
  /** `wants` = a call for all full copies of the sphere, with its mark as infohash. */
  readonly purpose: 'swarm' | 'wants';
  readonly appetite: Appetite;
  /** Devices that need no call for this torrent, or only one for a better path. */
  readonly satisfied: ReadonlyMap<DeviceKey, Satisfied>;
  /** Devices that may be lost. */
  readonly suspects: ReadonlySet<DeviceKey>;
}

/** A call that may be made now. */
export interface Due extends Callee {
  readonly torrent: DialTorrent;
  readonly known: Known;
  readonly attempts: Attempts;
  readonly urgency: Urgency;
}

export const isForOneFullCopy = ({ urgency, torrent }: Due): boolean =>
  urgency === 'lazy' && torrent.purpose === 'swarm';

export const kindOf = ({ urgency, device, origin, path }: Due): CallKind => {
  const isLazy = urgency === 'lazy' || urgency === 'better';
  return { isLazy, isStranger: device === null, lane: `${origin} ${path}` };
};

/** Where a member was met, newest first; then what members say of themselves; then what failed least. */
export function byPromise(a: Due, b: Due): number {
  const told = Number(b.toldBy !== null) - Number(a.toldBy !== null);
  return b.known.goodMs - a.known.goodMs || told || failures(a) - failures(b);
}

const failures = ({ known, attempts }: Due): number => known.silentCount + attempts.count;
