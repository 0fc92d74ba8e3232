import type { DeviceKey, EventId, PersonId } from '../../base/id.ts';
import type { SignedEvent } from './event.ts';

type Speakers = ReadonlyMap<PersonId, ReadonlySet<DeviceKey>>;

/** What goes back to one event. */
interface Following {
  readonly speakers: Map<PersonId, Set<DeviceKey>>;
  /** The event itself, and all that goes back to it. */
  readonly events: Set<EventId>;
}

/** Who has said anything that goes back to an event: by what it names as `membership` or `previous`, or what that names. */
export class Followers {
  readonly #events: readonly SignedEvent[];
  readonly #known = new Map<EventId, Following>();
  #byNamed: ReadonlyMap<EventId, readonly SignedEvent[]> | null = null;

  constructor(events: readonly SignedEvent[]) {
    this.#events = events;
  }

  /** By the person whom each claims to be of, whether or not that is proven. */
  of(id: EventId): Speakers {
    const known = this.#known.get(id) ?? this.#find(id);
    this.#known.set(id, known);
    return known.speakers;
  }

  /** Takes in what nothing here names yet. False when an answer that was given would be another one with it. */
  add(event: SignedEvent): boolean {
    return [...this.#known.values()].every((following) => {
      if (!namesOf(event).some((named) => following.events.has(named))) return true;
      following.events.add(event.id);
      return following.speakers.get(event.header.person)?.has(event.header.device) === true;
    });
  }

  #find(id: EventId): Following {
    const speakers = new Map<PersonId, Set<DeviceKey>>();
    const events = new Set<EventId>([id]);
    // A set is gone through in order, with what is added meanwhile.
    for (const one of events) {
      for (const { id: next, header } of this.#naming().get(one) ?? []) {
        events.add(next);
        const devices = speakers.get(header.person) ?? new Set();
        speakers.set(header.person, devices.add(header.device));
      }
    }
    return { speakers, events };
  }

  /** Made when somebody first asks, which hardly ever happens. */
  #naming(): ReadonlyMap<EventId, readonly SignedEvent[]> {
    if (this.#byNamed !== null) return this.#byNamed;
    const byNamed = new Map<EventId, SignedEvent[]>();
    for (const event of this.#events) {
      for (const named of namesOf(event)) {
        const known = byNamed.get(named);
        if (known === undefined) byNamed.set(named, [event]);
        else known.push(event);
      }
    }
    this.#byNamed = byNamed;
    return byNamed;
  }
}

function namesOf({ header: { membership, previous } }: SignedEvent): EventId[] {
  return [...new Set([membership, previous])].filter((named) => named !== null);
}
