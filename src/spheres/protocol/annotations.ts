import type { DeviceKey, EventId, PersonId } from '../../base/id.ts';
import type { KnownEvent, SignedEvent } from './event.ts';

/** Number of the last event of each device, as a mark up to which something is so. */
export type Marks = ReadonlyMap<DeviceKey, number>;

/** A sign and who gave it, in the order in which they first did. */
export interface Reaction {
  readonly sign: string;
  readonly people: readonly PersonId[];
}

export type AnnotationEvent = KnownEvent<'read' | 'reaction' | 'edit' | 'retract'>;

interface Retraction {
  readonly event: KnownEvent<'retract'>;
  readonly isByAdmin: boolean;
}

/**
 * What was done to messages after they were written. Events come in canonical order, and their targets may still be
 * missing: who may change a text is judged when somebody looks.
 */
export class Annotations {
  readonly #reactions = new Map<EventId, Map<PersonId, KnownEvent<'reaction'>>>();
  readonly #edits = new Map<EventId, KnownEvent<'edit'>[]>();
  readonly #retractions = new Map<EventId, Retraction[]>();
  readonly #readByPerson = new Map<PersonId, Map<DeviceKey, number>>();
  readonly #readByDevice = new Map<DeviceKey, Map<DeviceKey, number>>();
  readonly #linesByPerson = new Map<PersonId, Set<EventId>>();

  /** `isByAdmin`: its author had the right to take away what others wrote. */
  add(event: AnnotationEvent, isByAdmin: boolean): void {
    switch (event.type) {
      case 'reaction': {
        const people = entry(this.#reactions, event.body.target, () => new Map<PersonId, KnownEvent<'reaction'>>());
        // Whoever comes back to a message stands last.
        people.delete(event.header.person);
        people.set(event.header.person, event);
        break;
      }
      case 'edit':
        entry(this.#edits, event.body.target, () => []).push(event);
        break;
      case 'retract':
        entry(this.#retractions, event.body.target, () => []).push({ event, isByAdmin });
        break;
      case 'read':
        this.#mark(event);
        break;
    }
  }

  /** Everybody's signs on a message or an item. */
  reactions(target: EventId): readonly Reaction[] {
    const people = new Map<string, PersonId[]>();
    for (const [person, { body }] of this.#reactions.get(target) ?? []) {
      for (const sign of new Set(body.signs)) entry(people, sign, () => []).push(person);
    }
    return [...people].map(([sign, given]) => ({ sign, people: given }));
  }

  /** What one person says to it in signs. */
  signsOf(target: EventId, person: PersonId): readonly string[] {
    return this.#reactions.get(target)?.get(person)?.body.signs ?? [];
  }

  /** The last edit by the message's own author. */
  edit({ id, header }: SignedEvent): KnownEvent<'edit'> | undefined {
    return this.#edits.get(id)?.findLast((edit) => edit.header.person === header.person);
  }

  /**
   * The word that holds about whether the message is taken away: the last one of an admin, else of its author. What an
   * admin took away its author does not put back.
   */
  retraction({ id, header }: SignedEvent): KnownEvent<'retract'> | undefined {
    const all = this.#retractions.get(id) ?? [];
    const isByOther = ({ event, isByAdmin }: Retraction): boolean => isByAdmin && event.header.person !== header.person;
    const byAdmin = all.findLast(isByOther);
    if (byAdmin?.event.body.isUndone === false) return byAdmin.event;
    const byAuthor = all.findLast(({ event }) => event.header.person === header.person);
    const word = byAuthor ?? byAdmin;
    return word?.event.body.isUndone === false ? word.event : undefined;
  }

  /** What somebody took away at some time; whether that holds says `retraction`. */
  retracted(): readonly EventId[] {
    return [...this.#retractions.keys()];
  }

  /** Everything that was said to be an edit of it, whether it counts or not. */
  editsOf(target: EventId): readonly EventId[] {
    return (this.#edits.get(target) ?? []).map(({ id }) => id);
  }

  /** How far a person has read, on all devices together. */
  readBy(person: PersonId): Marks {
    return this.#readByPerson.get(person) ?? new Map();
  }

  /** Whether a person told that everything of ordinary XMPP programs up to this line was on the screen. */
  isLineTold(person: PersonId, line: EventId): boolean {
    return this.#linesByPerson.get(person)?.has(line) === true;
  }

  /** Whether an event was on a person's screen. */
  isReadBy(person: PersonId, { header }: SignedEvent): boolean {
    return (this.#readByPerson.get(person)?.get(header.device) ?? -1) >= header.sequence;
  }

  /** Whether an event was on the screen of a device, which therefore has it. */
  isReadOn(device: DeviceKey, { header }: SignedEvent): boolean {
    return (this.#readByDevice.get(device)?.get(header.device) ?? -1) >= header.sequence;
  }

  #mark({ header, body }: KnownEvent<'read'>): void {
    const ofPerson = entry(this.#readByPerson, header.person, () => new Map<DeviceKey, number>());
    const ofDevice = entry(this.#readByDevice, header.device, () => new Map<DeviceKey, number>());
    if (body.line !== undefined) entry(this.#linesByPerson, header.person, () => new Set()).add(body.line);
    for (const { device, sequence } of body.marks) {
      for (const marks of [ofPerson, ofDevice]) marks.set(device, Math.max(sequence, marks.get(device) ?? -1));
    }
  }
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
