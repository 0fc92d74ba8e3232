import type { Clock } from '../base/clock.ts';
import type { DeviceKey, SphereId } from '../base/id.ts';
import type { IncomingEphemeral } from './incoming-message.ts';
import type { Sphere } from './sphere.ts';

interface EarlyWord {
  readonly message: IncomingEphemeral;
  readonly device: DeviceKey;
  readonly atMs: number;
}

/** Later than this nobody waits for an answer any more. */
const KEPT_MS = 60_000;
/** Of each sphere: whoever still has a key must not fill our memory. */
const MOST = 16;

/**
 * Words of devices that the log does not know: what certifies them may be on its way, or stand in an archive that is being
 * read. Whoever asked for something would wait for the answer otherwise, and then ask somebody else.
 */
export class EarlyWords {
  readonly #clock: Clock;
  readonly #words = new Map<SphereId, readonly EarlyWord[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  keep(message: IncomingEphemeral, device: DeviceKey): void {
    const word = { message, device, atMs: this.#clock.monotonic() };
    this.#words.set(message.sphere, [...this.#recent(message.sphere), word].slice(-MOST));
  }

  /** What devices that are known by now said, in its order; it is not kept any longer. */
  take(sphere: Sphere): IncomingEphemeral[] {
    const words = this.#recent(sphere.id);
    const isKnown = ({ device }: EarlyWord): boolean => sphere.state.devices.has(device);
    const left = words.filter((word) => !isKnown(word));
    if (left.length === 0) this.#words.delete(sphere.id);
    else this.#words.set(sphere.id, left);
    return words.filter(isKnown).map(({ message }) => message);
  }

  #recent(sphere: SphereId): EarlyWord[] {
    const sinceMs = this.#clock.monotonic() - KEPT_MS;
    return (this.#words.get(sphere) ?? []).filter(({ atMs }) => atMs > sinceMs);
  }
}
