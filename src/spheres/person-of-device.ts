import type { DeviceKey, PersonId } from '../base/id.ts';
import type { Sphere } from './sphere.ts';

/** Whose device it is or was, also when it counts no more; undefined when nothing proves it. */
export function personOfDevice({ state, log }: Sphere, device: DeviceKey): PersonId | undefined {
  return state.devices.get(device)?.person ?? state.endedDevices.get(device) ?? log.certifiedFor(device);
}
