import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import type { BareJid, DeviceKey, EventId, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Storage } from '../storage/storage.ts';
import type { SignedEvent } from './protocol/event.ts';
import type { Rooms } from './rooms.ts';
import type { Sphere } from './sphere.ts';

/**
 * What the server of a sphere's room does that no server should, and that harms nobody. `repeats`: says again what was said
 * long ago; `reorders`: mixes up what one computer said; `forgets`: its archive no longer has what was said on the same day.
 */
export type ServerHabit = 'repeats' | 'reorders' | 'forgets';

interface ServerHabitsDeps {
  readonly storage: Pick<Storage, 'seen'>;
  readonly rooms: Pick<Rooms, 'isCaughtUp' | 'isInside' | 'onPresence'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What came live in one stay in a room. */
interface Stay {
  readonly highest: Map<DeviceKey, number>;
  lines: number;
  late: number;
}

/** A sender whose connection is resumed (XEP-0198) says the same again; no server keeps a cut connection for longer. */
const RESUMED_MS = 3_600_000;
/** What a connection cut short leaves unacknowledged, and is said again when a computer wakes up, is less. */
const MIN_REPEATED = 5;
const MIN_LATE = 6;
/** Of so many lines one is late at least: what a sender puts aside for trouble with its keys is less. */
const LATE_OF = 5;

/**
 * Notices what can be told apart from what happens on any connection: not what comes twice under one id of the archive, not what
 * changes places between two authors, and not an archive that is off, or that was set up anew.
 */
export class ServerHabits {
  readonly onFound: Emitter<{ readonly sphere: Sphere; readonly habit: ServerHabit }>;
  readonly #deps: ServerHabitsDeps;
  readonly #repeated = new Map<SphereId, number>();
  readonly #stays = new Map<BareJid, Stay>();

  constructor(deps: ServerHabitsDeps) {
    this.#deps = deps;
    this.onFound = new Emitter((error) => deps.log.error('listener of the habits of servers failed', { error }));
    deps.rooms.onPresence.on((room) => !deps.rooms.isInside(room) && this.#stays.delete(room));
  }

  /** The very same message came live under another id of the archive; `firstMs`: when it came first, by our clock. */
  repeated(sphere: Sphere, firstMs: number): void {
    if (this.#deps.clock.now() - firstMs < RESUMED_MS) return;
    const count = (this.#repeated.get(sphere.id) ?? 0) + 1;
    this.#repeated.set(sphere.id, count % MIN_REPEATED);
    if (count === MIN_REPEATED) this.onFound.emit({ sphere, habit: 'repeats' });
  }

  /** Something new came live, from this account, under an id of the archive. */
  came(sphere: Sphere, { id, header }: SignedEvent, from: BareJid): void {
    const { state, row } = sphere;
    const { storage, clock } = this.#deps;
    storage.seen.add(liveIn(row.room), id, clock.now());
    // What a member passes on of others has no place of its own.
    if (state.devices.get(header.device)?.jid !== from || !this.#deps.rooms.isCaughtUp(row.room)) return;
    const stay = this.#stays.get(row.room) ?? { highest: new Map<DeviceKey, number>(), lines: 0, late: 0 };
    this.#stays.set(row.room, stay);
    const highest = stay.highest.get(header.device) ?? -1;
    stay.highest.set(header.device, Math.max(highest, header.sequence));
    stay.lines += 1;
    if (header.sequence < highest) stay.late += 1;
    if (stay.late < MIN_LATE || stay.late * LATE_OF < stay.lines) return;
    [stay.lines, stay.late] = [0, 0];
    this.onFound.emit({ sphere, habit: 'reorders' });
  }

  /** Whether the archive of a room had an event, because it came live under an id of it. */
  wasLive(room: BareJid, id: EventId): boolean {
    return this.#deps.storage.seen.has(liveIn(room), id);
  }

  /** Its archive was asked, and has nothing from before something that was said today. */
  forgot(sphere: Sphere): void {
    this.onFound.emit({ sphere, habit: 'forgets' });
  }
}

function liveIn(room: BareJid): string {
  return `live ${room}`;
}
