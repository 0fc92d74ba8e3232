import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import type { BareJid, DeviceKey, EventId, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { RateLimit } from '../base/rate-limit.ts';
import { RecurringWork } from '../base/recurring-work.ts';
import type { GivenEventRow } from '../storage/given-event-table.ts';
import type { Storage } from '../storage/storage.ts';
import { readSealed } from '../xmpp/sealed.ts';
import type { SignedEvent } from './protocol/event.ts';
import type { Rooms } from './rooms.ts';
import type { ServerHabits } from './server-habits.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import type { Archived, Suspect } from './withheld-from.ts';
import { withheldFrom } from './withheld-from.ts';

interface WithheldDeps {
  readonly storage: Storage;
  readonly list: Pick<SphereList, 'find'>;
  readonly rooms: Pick<Rooms, 'isCaughtUp' | 'isInside' | 'onPresence' | 'archive'>;
  readonly habits: Pick<ServerHabits, 'forgot' | 'wasLive'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What a member gave us in another way than the room; `givenMs` is monotonic. */
interface Given extends GivenEventRow {
  readonly givenMs: number;
}

interface Span {
  readonly from: number;
  readonly to: number;
}

interface WithheldMessages {
  readonly count: number;
  /** Who gave them. */
  readonly by: readonly BareJid[];
}

/** Its author may still be sending it, and an archive may lag. */
const PATIENCE_MS = 600_000;
/** So long somebody is waited for who says something after it. */
const KEPT_MS = 24 * 3_600_000;
const DAY_MS = 24 * 3_600_000;
const MAX_GIVEN = 1024;
/** What was found and not read of makes room for what is to be looked for, but for so many. */
const MAX_UNREAD = 512;
const MAX_ENTRIES = 2_000;
const ASKED = { burst: 2, intervalMs: 3_600_000 };
/** How many events of a device are looked through for one that came by the room. */
const REACH = 64;
/** An entry of the archive is noted just before the event in it. */
const SLACK_MS = 5_000;

/**
 * Finds out what the room's server kept from us: what a member gave us, and its archive, asked once more when it has had
 * the time, does not hold, though it holds what the same computer said before and after. An archive that has expired, is
 * off or was lost shows the same of everything, and of that nothing is told.
 */
export class Withheld {
  readonly onFound: Emitter<Sphere>;
  /** There is more or less of it to be read of. */
  readonly onChange: Emitter<Sphere>;
  readonly #deps: WithheldDeps;
  readonly #given = new Map<SphereId, Map<EventId, Given>>();
  /** Between which numbers each device was heard live, as long as we have been in the room without a break. */
  readonly #heard = new Map<BareJid, Map<DeviceKey, Span>>();
  readonly #asking: RateLimit;
  readonly #work: RecurringWork;

  constructor(deps: WithheldDeps) {
    this.#deps = deps;
    const onError = (error: unknown): void => deps.log.error('listener of what was withheld failed', { error });
    this.onFound = new Emitter(onError);
    this.onChange = new Emitter(onError);
    this.#asking = new RateLimit({ ...deps, ...ASKED });
    this.#work = new RecurringWork({ ...deps, pass: () => this.#pass(), retryMs: PATIENCE_MS });
    const [nowMs, monotonicMs] = [deps.clock.now(), deps.clock.monotonic()];
    for (const row of deps.storage.givenEvents.list()) {
      this.#note({ ...row, givenMs: monotonicMs - Math.max(0, nowMs - row.atMs) });
    }
    deps.rooms.onPresence.on((room) => !deps.rooms.isInside(room) && this.#heard.delete(room));
  }

  /** What the person has not read of yet: what the server kept back, and has not given since; null = nothing. */
  found({ id }: Sphere): WithheldMessages | null {
    const found = [...(this.#given.get(id)?.values() ?? [])].filter(({ state }) => state === 'withheld');
    return found.length === 0 ? null : { count: found.length, by: [...new Set(found.map(({ by }) => by))] };
  }

  /** The person has read of it. */
  read(sphere: Sphere): void {
    const known = [...(this.#given.get(sphere.id)?.values() ?? [])];
    this.#keepAll(
      known.flatMap((given) => (given.state === 'withheld' ? [{ ...given, state: 'asked' as const }] : [])),
    );
    this.onChange.emit(sphere);
  }

  /** The sphere's room gave us events. */
  heard(sphere: Sphere, events: readonly SignedEvent[]): void {
    const { id, row } = sphere;
    this.#forget(
      sphere,
      events.map((event) => event.id),
    );
    // What its archive tells of the time that we were away may have been live for others.
    if (!this.#deps.rooms.isCaughtUp(row.room)) return;
    const spans = this.#heard.get(row.room) ?? new Map<DeviceKey, Span>();
    this.#heard.set(row.room, spans);
    for (const { device, sequence } of events.map(({ header }) => header)) {
      const { from, to } = spans.get(device) ?? { from: sequence, to: sequence };
      spans.set(device, { from: Math.min(from, sequence), to: Math.max(to, sequence) });
    }
    this.#noteLive(sphere, [...(this.#given.get(id)?.values() ?? [])]);
  }

  /** A member gave us events that were not here. */
  given(sphere: Sphere, events: readonly SignedEvent[], by: BareJid): void {
    const { clock } = this.#deps;
    const times = { atMs: clock.now(), givenMs: clock.monotonic() };
    const given = events.map((event): Given => {
      return { sphereId: sphere.id, eventId: event.id, by, isLive: false, state: 'waiting', ...times };
    });
    this.#keepAll(given);
    this.#noteLive(sphere, given);
    const known = [...(this.#given.get(sphere.id)?.values() ?? [])];
    for (const { sphereId, eventId } of tooMany(known)) this.#drop(sphereId, eventId);
    this.#work.wake();
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#work.run(signal);
  }

  /** Nothing is asked unless something is found here. */
  async #pass(): Promise<number> {
    const nowMs = this.#deps.clock.monotonic();
    for (const [id, known] of this.#given) {
      for (const { eventId, givenMs, state } of known.values()) {
        if (nowMs - givenMs >= KEPT_MS && state !== 'withheld') this.#drop(id, eventId);
      }
      const sphere = this.#deps.list.find(id);
      if (sphere === undefined || known.size === 0) this.#given.delete(id);
      else await this.#look(sphere, known);
    }
    return this.#given.size === 0 ? KEPT_MS : PATIENCE_MS;
  }

  async #look(sphere: Sphere, known: ReadonlyMap<EventId, Given>): Promise<void> {
    const { rooms, storage, habits, log } = this.#deps;
    const { room, state } = sphere.row;
    if (state !== 'joined' || !rooms.isCaughtUp(room)) return;
    const suspects = [...known].flatMap(([id, given]) =>
      given.state === 'waiting' ? (this.#suspect(sphere, known, id) ?? []) : [],
    );
    if (suspects.length === 0 || !this.#asking.take(sphere.id)) return;
    const givenOf = ({ event }: Suspect): Given[] => [known.get(event.id)].filter((given) => given !== undefined);
    this.#keepAll(suspects.flatMap(givenOf).map((given) => ({ ...given, state: 'asked' as const })));
    const fromMs = Math.min(...suspects.map(({ sinceMs }) => sinceMs)) - SLACK_MS;
    try {
      const entries = await this.#archived(sphere, storage.seen.lastBefore(room, fromMs) ?? null);
      if (entries !== undefined && this.#hasForgotten(sphere, suspects, entries)) habits.forgot(sphere);
      const found = entries === undefined ? [] : withheldFrom(sphere, suspects, entries);
      if (found.length === 0) return;
      this.#keepAll(found.flatMap(givenOf).map((given) => ({ ...given, state: 'withheld' as const })));
      this.onFound.emit(sphere);
      this.onChange.emit(sphere);
    } catch (error) {
      // What cannot be asked shows nothing.
      log.info('archive not asked for what was withheld', { error });
    }
  }

  /**
   * Whether an archive that is on has nothing any more of the time when something was said that came by the room today, and
   * that it had: told by what the entries name, for the server's clock may be another one.
   */
  #hasForgotten({ log, row }: Sphere, suspects: readonly Suspect[], entries: readonly Archived[]): boolean {
    const { habits, clock } = this.#deps;
    const named = entries[0]?.event ?? null;
    const oldestTime = named === null ? undefined : log.get(named)?.header.lamport;
    if (oldestTime === undefined) return false;
    return suspects.some(({ earlier, sinceMs }) => {
      const isOfToday = clock.now() - sinceMs < DAY_MS;
      return isOfToday && earlier.header.lamport < oldestTime && habits.wasLive(row.room, earlier.id);
    });
  }

  /** What people said, that was given long enough ago, and before and after which its device was heard in the room. */
  #suspect(sphere: Sphere, known: ReadonlyMap<EventId, Given>, id: EventId): Suspect | undefined {
    const { log, state, person } = sphere;
    const event = log.get(id);
    const { givenMs = Infinity, isLive = false } = known.get(id) ?? {};
    if (event === undefined || !isShown(event) || this.#deps.clock.monotonic() - givenMs < PATIENCE_MS)
      return undefined;
    const { device, sequence } = event.header;
    const isDoubtful =
      log.verdict(id)?.kind !== 'accepted' || event.header.person === person || state.forks.has(device);
    if (isDoubtful) return undefined;
    const heard = (from: number, to: number): SignedEvent[] =>
      log.select({ ranges: [{ device, from, to }], ids: [] }).filter((one) => !known.has(one.id));
    const before = heard(Math.max(0, sequence - REACH), sequence - 1).at(-1);
    const [after] = heard(sequence + 1, sequence + REACH);
    const sinceMs = before === undefined ? undefined : this.#deps.storage.events.get(before.id)?.receivedAtMs;
    if (before === undefined || sinceMs === undefined || after === undefined) return undefined;
    return { event, isLive, earlier: before, sinceMs };
  }

  /** Once it is known it stays so, whatever becomes of the connection, or of the program. */
  #noteLive({ log, row }: Sphere, given: readonly Given[]): void {
    const spans = this.#heard.get(row.room);
    const live = given.filter(({ eventId, isLive, state }) => {
      const { device, sequence } = log.get(eventId)?.header ?? {};
      const span = device === undefined ? undefined : spans?.get(device);
      const isOpen = state === 'waiting' && !isLive;
      return isOpen && span !== undefined && sequence !== undefined && span.from < sequence && sequence < span.to;
    });
    this.#keepAll(live.map((one) => ({ ...one, isLive: true })));
  }

  /** It came after all. */
  #forget(sphere: Sphere, ids: readonly EventId[]): void {
    const known = this.#given.get(sphere.id);
    const came = ids.flatMap((id) => known?.get(id) ?? []);
    for (const { sphereId, eventId } of came) this.#drop(sphereId, eventId);
    if (came.some(({ state }) => state === 'withheld')) this.onChange.emit(sphere);
  }

  #note(given: Given): void {
    const known = this.#given.get(given.sphereId) ?? new Map<EventId, Given>();
    this.#given.set(given.sphereId, known.set(given.eventId, given));
  }

  #keepAll(all: readonly Given[]): void {
    if (all.length === 0) return;
    for (const given of all) this.#note(given);
    const { storage } = this.#deps;
    const keep = (): void => all.forEach(({ givenMs: _givenMs, ...row }) => storage.givenEvents.put(row));
    // What is lost in a power cut is given again.
    storage.transaction(keep, 'later');
  }

  #drop(sphereId: SphereId, eventId: EventId): void {
    this.#given.get(sphereId)?.delete(eventId);
    this.#deps.storage.givenEvents.remove({ sphereId, eventId });
  }

  /** What the archive holds, oldest first; undefined when that is too much to be looked through. */
  async #archived({ id, row }: Sphere, after: string | null): Promise<readonly Archived[] | undefined> {
    const entries: Archived[] = [];
    for await (const { stanza, from } of this.#deps.rooms.archive(row.room, after)) {
      if (entries.length === MAX_ENTRIES) return undefined;
      const sealed = readSealed(stanza);
      entries.push({ from, event: sealed?.sphere === id ? sealed.event : null });
    }
    return entries;
  }
}

/** What goes first when there is too much, of all that is noted, oldest first: what nothing is left to be done about. */
function tooMany(known: readonly Given[]): readonly Given[] {
  const of = (state: Given['state']): readonly Given[] => known.filter((given) => given.state === state);
  const unread = of('withheld');
  const ranked = [...of('asked'), ...unread.slice(0, -MAX_UNREAD), ...of('waiting'), ...unread.slice(-MAX_UNREAD)];
  return ranked.slice(0, Math.max(0, known.length - MAX_GIVEN));
}

/** Each of them goes into the room by itself, with a line that every archive keeps. */
function isShown(event: SignedEvent): boolean {
  if (event.type === 'item' || event.type === 'torrent') return event.body.replaces === null;
  return event.type === 'message';
}
