import type { DeviceKey } from '../base/id.ts';
import type { Route } from './route.ts';
import { isStraight, rankOf } from './route.ts';

/**
 * The rank of the ways by which a device needs no call any more, nor by worse ones, because it is connected; 0 = it needs
 * none at all.
 */
export type Satisfied = number;

/** For one that needs no call whatever. */
export const FULLY: Satisfied = 0;
/** What is not straight gives way to what is, at once. */
const STRAIGHT: Satisfied = rankOf('webrtc');
/** Among their like a better one is looked for once both ends are sure to call the connection settled (`arbitrate`). */
export const SETTLED_MS = 15_000;

interface Link {
  readonly device: DeviceKey;
  readonly route: Route;
  readonly ageMs: number;
  readonly isSuspect: boolean;
}

/** What the connections of one torrent mean for calls; a device with doubtful ones only is not connected but suspect. */
export function satisfiedBy(links: readonly Link[]): {
  satisfied: Map<DeviceKey, Satisfied>;
  suspects: Set<DeviceKey>;
} {
  const satisfied = new Map<DeviceKey, Satisfied>();
  for (const link of links) {
    if (link.isSuspect) continue;
    satisfied.set(link.device, Math.min(satisfied.get(link.device) ?? Infinity, levelOf(link)));
  }
  const suspects = new Set(links.map(({ device }) => device).filter((device) => !satisfied.has(device)));
  return { satisfied, suspects };
}

function levelOf({ route: { path }, ageMs }: Link): Satisfied {
  if (ageMs >= SETTLED_MS) return rankOf(path);
  return isStraight(path) ? FULLY : STRAIGHT;
}
