import type { Clock } from '../base/clock.ts';
import type { DeviceKey, SphereId } from '../base/id.ts';
import { Throttle } from '../base/throttle.ts';
import type { Storage } from '../storage/storage.ts';
import type { SphereChange } from './effects.ts';
import type { EphemeralChannel, Speaker } from './ephemeral-channel.ts';
import type { EphemeralBodies } from './protocol/ephemeral.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface DeliveryDeps {
  readonly list: SphereList;
  readonly channel: Pick<EphemeralChannel, 'on' | 'say'>;
  readonly storage: Storage;
  /** Runs work that outlives the call that began it. */
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
}

const TOLD = { burst: 4, intervalMs: 1_500 };
/** As many as fit into one word of the moment. */
const MAX_MARKS = 64;
/** Lines of ours that are shown anew when news of them come; those further back tell it when they are looked at. */
const MAX_SHOWN = 60;

/**
 * Tells the others how far this device has what they said, and learns the same of theirs. Words of the moment: a
 * durable one per message and device would make the log many times longer. Whoever was away is told at the next meeting.
 */
export class Delivery {
  readonly #deps: DeliveryDeps;
  readonly #telling: Throttle;
  /** What those present were told last, by sphere and device. */
  readonly #told = new Map<string, number>();
  readonly #asking = new Set<SphereId>();
  /** How far the chain of each device is known to be whole. */
  readonly #whole = new Map<string, number>();

  constructor(deps: DeliveryDeps) {
    this.#deps = deps;
    this.#telling = new Throttle({ ...deps, ...TOLD });
    deps.channel.on('have', (from, body) => this.#hear(from, body));
  }

  /** Something came. */
  tell(sphere: Sphere): void {
    this.#deps.spawn('tell what arrived', () => this.#telling.run(sphere.id, () => this.#tellNow(sphere)));
  }

  /** We were away: those present are asked what they have meanwhile, and told what has come to us. */
  meet(sphere: Sphere): void {
    this.#asking.add(sphere.id);
    this.#forget(sphere);
    this.tell(sphere);
  }

  /** Devices of others that have what our device said under this number. */
  reached(sphere: Sphere, event: { readonly device: DeviceKey; readonly sequence: number }): ReadonlySet<DeviceKey> {
    const rows = this.#deps.storage.reached.list(sphere.id);
    const far = rows.filter(({ author, sequence }) => author === event.device && sequence >= event.sequence);
    return new Set(far.map(({ device }) => device));
  }

  async #tellNow(sphere: Sphere): Promise<void> {
    // Of what may still be lost nothing is to be remembered as here.
    this.#deps.storage.keep();
    const marks = [...sphere.state.devices.values()].flatMap(({ device, person }) => {
      const sequence = person === sphere.person ? undefined : this.#lastHere(sphere, device);
      const isNews = sequence !== undefined && sequence > (this.#told.get(key(sphere, device)) ?? -1);
      return isNews ? [{ device, sequence }] : [];
    });
    const isAsking = this.#asking.delete(sphere.id);
    if (marks.length === 0 && !isAsking) return;
    this.#deps.storage.settle();
    for (let from = 0; from === 0 || from < marks.length; from += MAX_MARKS) {
      const part = marks.slice(from, from + MAX_MARKS);
      await this.#deps.channel.say(sphere, 'have', { marks: part, isAsking: isAsking && from === 0 });
      for (const { device, sequence } of part) this.#told.set(key(sphere, device), sequence);
    }
  }

  /** Somebody does not know what we told before. */
  #forget(sphere: Sphere): void {
    for (const device of sphere.state.devices.keys()) this.#told.delete(key(sphere, device));
  }

  /** The last line of a device that is here, with everything before it. */
  #lastHere(sphere: Sphere, device: DeviceKey): number | undefined {
    const place = key(sphere, device);
    const end = sphere.log.unbrokenEnd(device, this.#whole.get(place) ?? -1);
    this.#whole.set(place, end);
    return this.#deps.storage.events.lastShown(sphere.id, device, end);
  }

  #hear({ sphere, device }: Speaker, { marks, isAsking }: EphemeralBodies['have']): void {
    const { storage, list } = this.#deps;
    if (isAsking) {
      this.#forget(sphere);
      this.tell(sphere);
    }
    const known = new Map(
      storage.reached
        .list(sphere.id)
        .filter((row) => row.device === device)
        .map((row) => [row.author, row.sequence]),
    );
    const changes: SphereChange[] = [];
    for (const mark of marks) {
      const author = mark.device as DeviceKey;
      const before = known.get(author) ?? -1;
      // Nobody has more of what we said than we said.
      const sequence = Math.min(mark.sequence, sphere.log.heads().get(author)?.sequence ?? -1);
      if (sphere.state.devices.get(author)?.person !== sphere.person || sequence <= before) continue;
      storage.reached.put({ sphereId: sphere.id, author, device, sequence });
      for (const id of storage.events.idsBetween(sphere.id, author, { from: before, to: sequence }, MAX_SHOWN)) {
        if (storage.messages.has(id)) changes.push({ kind: 'message', id });
      }
    }
    if (changes.length > 0) list.announce(sphere, changes);
  }
}

function key(sphere: Sphere, device: DeviceKey): string {
  return `${sphere.id} ${device}`;
}
