import type { DeviceKey } from '../base/id.ts';
import { RecentMap } from '../base/recent-map.ts';

/** Whoever gives less than this in so many ticks in which something is wanted of it counts as none that gives. */
const LEAST_GIVEN = { bytes: 320 * 1024, ticks: 20 };
const MOST_DEVICES = 256;

interface Given {
  /** Since it was last judged, over all its connections. */
  readonly bytes: number;
  readonly ticks: number;
  readonly isBarren: boolean;
}

const NOTHING: Given = { bytes: 0, ticks: 0, isBarren: false };

/** Who gives of one torrent and who only says that it has it; connecting anew makes nobody forget. */
export class Giving {
  readonly #given = new RecentMap<DeviceKey, Given>(MOST_DEVICES);

  /** Hardly anything has come for long although we want it: it chokes us, rejects, or is as slow as if it did. */
  isBarren(device: DeviceKey): boolean {
    return this.#of(device).isBarren;
  }

  gave(device: DeviceKey, bytes: number): void {
    const given = this.#of(device);
    this.#given.set(device, { ...given, bytes: given.bytes + bytes });
  }

  /** Once a second for a connected device. Whoever is asked for nothing is not to blame. */
  tick(device: DeviceKey, isAsked: boolean): void {
    const given = this.#of(device);
    const ticks = given.ticks + 1;
    if (!isAsked || given.bytes >= LEAST_GIVEN.bytes) this.#given.delete(device);
    else if (ticks < LEAST_GIVEN.ticks) this.#given.set(device, { ...given, ticks });
    else this.#given.set(device, { ...NOTHING, isBarren: true });
  }

  #of(device: DeviceKey): Given {
    return this.#given.get(device) ?? NOTHING;
  }
}
