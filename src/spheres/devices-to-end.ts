import * as z from 'zod';
import type { DeviceKey } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';

const SETTING = 'devices-to-end';

/** Devices of our person that are gone for good by their word here, wherever that is known already. */
export function devicesToEnd({ settings }: Pick<Storage, 'settings'>): Set<DeviceKey> {
  return new Set(settings.get(SETTING, (value) => z.array(z.string()).parse(value) as DeviceKey[]));
}

export function noteDeviceToEnd(storage: Pick<Storage, 'settings'>, device: DeviceKey): void {
  storage.settings.set(SETTING, [...devicesToEnd(storage).add(device)]);
}
