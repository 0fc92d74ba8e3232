import type { Clock } from '../base/clock.ts';
import type { BareJid } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import { FormerRooms } from './former-rooms.ts';
import type { Rooms } from './rooms.ts';
import type { SphereList } from './sphere-list.ts';

interface ReadArchivesDeps {
  readonly storage: Pick<Storage, 'settings' | 'transaction'>;
  readonly list: Pick<SphereList, 'ofRoom'>;
  readonly rooms: Pick<Rooms, 'isCaughtUp' | 'isGone'>;
  readonly clock: Clock;
}

/** Whoever has others to ask waits no longer for a server that may never come back. */
const WAITS_MS = 3 * 3_600_000;

/** Whether all was read that was said in a sphere: in its room of now, and in those that it has left. */
export class ReadArchives {
  readonly #deps: ReadArchivesDeps;
  readonly #former: FormerRooms;
  /** Since when one that the sphere has left is waited for; monotonic. */
  readonly #waitingMs = new Map<BareJid, number>();

  constructor(deps: ReadArchivesDeps) {
    this.#deps = deps;
    this.#former = new FormerRooms(deps.storage);
  }

  /** By the room of now. */
  isRead(room: BareJid): boolean {
    return this.#deps.rooms.isCaughtUp(room) && this.#unread(room).length === 0;
  }

  /** The same, but for what cannot be read in hours. */
  isReadForNow(room: BareJid): boolean {
    if (!this.#deps.rooms.isCaughtUp(room)) return false;
    const nowMs = this.#deps.clock.monotonic();
    return this.#unread(room).every((former) => {
      const sinceMs = this.#waitingMs.get(former) ?? nowMs;
      this.#waitingMs.set(former, sinceMs);
      return nowMs - sinceMs >= WAITS_MS;
    });
  }

  #unread(room: BareJid): BareJid[] {
    const { list, rooms } = this.#deps;
    const sphere = list.ofRoom(room);
    const former = sphere === undefined ? [] : this.#former.roomsOf(sphere.id);
    // What was read once, and is away again, is waited for anew.
    for (const one of former) if (rooms.isCaughtUp(one)) this.#waitingMs.delete(one);
    return former.filter((one) => !rooms.isCaughtUp(one) && !rooms.isGone(one));
  }
}
