import type { DeviceView } from '../contract/views.ts';
import type { OwnDeviceRow } from '../storage/own-device-table.ts';

export function viewDevice({ device, name, state, addedAtMs, seenAtMs }: OwnDeviceRow): DeviceView {
  return { device, name, state, addedAtMs, seenAtMs };
}
