import type { DeviceKey } from '../base/id.ts';

/** The connections of all torrents of the process, which share the memory for what waits to be sent. */
export class OpenConnections {
  readonly #ofDevices = new Map<DeviceKey, number>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Those to one device, whichever torrents they are for. */
  of(device: DeviceKey): number {
    return this.#ofDevices.get(device) ?? 0;
  }

  opened(device: DeviceKey): void {
    this.#count += 1;
    this.#ofDevices.set(device, this.of(device) + 1);
  }

  closed(device: DeviceKey): void {
    this.#count -= 1;
    const left = this.of(device) - 1;
    if (left > 0) this.#ofDevices.set(device, left);
    else this.#ofDevices.delete(device);
  }
}
