import type { DeviceKey } from '../base/id.ts';
import type { Route } from './route.ts';
import { isStraight } from './route.ts';

/** Whether a device needs a call: `somehow` is connected, but not by the best kind of path. */
export type Satisfied = 'fully' | 'somehow';

interface Link {
  readonly device: DeviceKey;
  readonly route: Route;
  readonly isSuspect: boolean;
}

/** What the connections of one torrent mean for calls; a device with doubtful ones only is not connected but suspect. */
export function satisfiedBy(links: readonly Link[]): {
  satisfied: Map<DeviceKey, Satisfied>;
  suspects: Set<DeviceKey>;
} {
  const satisfied = new Map<DeviceKey, Satisfied>();
  for (const link of links) {
    if (link.isSuspect || satisfied.get(link.device) === 'fully') continue;
    satisfied.set(link.device, isStraight(link.route.path) ? 'fully' : 'somehow');
  }
  const suspects = new Set(links.map(({ device }) => device).filter((device) => !satisfied.has(device)));
  return { satisfied, suspects };
}
