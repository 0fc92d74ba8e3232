import type { DeviceKey, EventId, PersonId } from '../../base/id.ts';
import type { SignedEvent } from './event.ts';

type Speakers = ReadonlyMap<PersonId, ReadonlySet<DeviceKey>>;

/** Who has said anything that goes back to an event: by what it names as `membership` or `previous`, or what that names. */
export class Followers {
  readonly #events: readonly SignedEvent[];
  readonly #known = new Map<EventId, Speakers>();
  #byNamed: ReadonlyMap<EventId, readonly SignedEvent[]> | null = null;

  constructor(events: readonly SignedEvent[]) {
    this.#events = events;
  }

  /** By the person whom each claims to be of, whether or not that is proven. */
  of(id: EventId): Speakers {
    const known = this.#known.get(id) ?? this.#find(id);
    this.#known.set(id, known);
    return known;
  }

  #find(id: EventId): Speakers {
    const speakers = new Map<PersonId, Set<DeviceKey>>();
    const met = new Set<EventId>([id]);
    // A set is gone through in order, with what is added meanwhile.
    for (const one of met) {
      for (const { id: next, header } of this.#naming().get(one) ?? []) {
        met.add(next);
        const devices = speakers.get(header.person) ?? new Set();
        speakers.set(header.person, devices.add(header.device));
      }
    }
    return speakers;
  }

  /** Made when somebody first asks, which hardly ever happens. */
  #naming(): ReadonlyMap<EventId, readonly SignedEvent[]> {
    if (this.#byNamed !== null) return this.#byNamed;
    const byNamed = new Map<EventId, SignedEvent[]>();
    for (const event of this.#events) {
      const { membership, previous } = event.header;
      for (const named of new Set([membership, previous])) {
        if (named === null) continue;
        const known = byNamed.get(named);
        if (known === undefined) byNamed.set(named, [event]);
        else known.push(event);
      }
    }
    this.#byNamed = byNamed;
    return byNamed;
  }
}
