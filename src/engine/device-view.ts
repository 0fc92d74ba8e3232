import type { DeviceView } from '../contract/views.ts';
import type { OwnDeviceRow } from '../storage/own-device-table.ts';

/** `isEnding`: its end waits somewhere for what it said. */
export function viewDevice({ device, name, state, addedAtMs, seenAtMs }: OwnDeviceRow, isEnding: boolean): DeviceView {
  return { device, name, state: isEnding ? 'ending' : state, addedAtMs, seenAtMs };
}
