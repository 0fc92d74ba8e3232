import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid, EventId, PersonId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { withinTime } from '../base/within-time.ts';
import { roomRights } from './caretaker.ts';
import type { DeviceCertifier } from './device-certifier.ts';
import type { RoomRight, RoomService } from './members.ts';
import type { SignedEvent } from './protocol/event.ts';
import { isAddressFree } from './protocol/is-address-free.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import { tellLeaders } from './tell-leaders.ts';

interface OwnMoveDeps {
  readonly list: SphereList;
  readonly rooms: Pick<RoomService, 'isInside' | 'setAffiliation'>;
  readonly certifier: Pick<DeviceCertifier, 'certificate'>;
  /** Resolves when these events of ours have left, or when nobody could read them. */
  readonly flushed: (events: readonly EventId[], signal: AbortSignal) => Promise<void>;
  readonly queued: () => void;
  readonly isOnline: () => boolean;
  readonly person: PersonId;
  readonly own: BareJid;
  readonly clock: Clock;
  readonly log: Logger;
}

const TO_MEMBERS = { audience: { kind: 'members' } } as const;
/** Rooms that are not well, or a server that is gone, hear of it from the new account. */
const FLUSH_MS = 15_000;
const RIGHT_MS = 5_000;

/** Says in every sphere that our person goes on under another account, while this device is still at the one before. */
export class OwnMove {
  readonly #deps: OwnMoveDeps;

  constructor(deps: OwnMoveDeps) {
    this.#deps = deps;
  }

  /** Another account by which our person goes in a sphere: a move that is not at its end on this device. */
  get goingTo(): BareJid | null {
    const { person, own } = this.#deps;
    return (
      this.#spheres()
        .map((sphere) => sphere.jidOf(person))
        .find((jid) => jid !== undefined && jid !== own) ?? null
    );
  }

  /** Fails with `conflict` when the log of one of our spheres would not let us go to that address. */
  check(to: BareJid): void {
    const { person } = this.#deps;
    const mayGo = (sphere: Sphere): boolean =>
      sphere.jidOf(person) === to || isAddressFree(sphere.state.members.get(to), person);
    if (!this.#spheres().every(mayGo)) throw new AppError('conflict', 'somebody was asked at that address', { to });
  }

  /**
   * Whatever was said already is not said twice. Returns when all of it has left, or cannot at this moment; fails with `conflict`
   * when what others did meanwhile made it void.
   */
  async say(to: BareJid, signal: AbortSignal): Promise<void> {
    const { queued, person } = this.#deps;
    this.check(to);
    const said = this.#spheres().flatMap((sphere) => this.#sayIn(sphere, to));
    queued();
    for (const sphere of this.#spheres()) await this.#letIn(sphere, to, signal);
    await this.#send(said, signal);
    const isThere = this.#spheres().every((sphere) => sphere.jidOf(person) === to);
    if (!isThere) throw new AppError('conflict', 'a sphere does not let us go to that address', { to });
  }

  async #send(said: readonly EventId[], signal: AbortSignal): Promise<void> {
    const { flushed, isOnline, clock, log } = this.#deps;
    // Without a connection nothing leaves, however long one waits.
    if (!isOnline()) return;
    try {
      await withinTime({ clock, ms: FLUSH_MS }, signal, (limited) => flushed(said, limited));
    } catch (error) {
      signal.throwIfAborted();
      log.info('not every sphere has heard of the new address yet', { error });
    }
  }

  #spheres(): Sphere[] {
    return this.#deps.list.all().filter(({ row, role }) => row.state === 'joined' && role !== undefined);
  }

  /** The certificate comes first: it is what proves the move. A further device of ours needs nothing else. */
  #sayIn(sphere: Sphere, to: BareJid): EventId[] {
    const { list, certifier, person } = this.#deps;
    const from = sphere.jidOf(person);
    const isCertified = sphere.log
      .events()
      .some((event) => event.type === 'device' && event.header.device === sphere.device && event.body.jid === to);
    return list.together(sphere, () => {
      const said: EventId[] = [];
      if (!isCertified) said.push(list.publish(sphere, 'device', certifier.certificate([], to), TO_MEMBERS).id);
      if (from === undefined || from === to) return said;
      const moved = list.publish(sphere, 'moved', { from, to }, TO_MEMBERS) as SignedEvent;
      tellLeaders(sphere, moved);
      return [...said, moved.id];
    });
  }

  /** Whoever decides about the room need not wait for others to open it to them. */
  async #letIn({ row, role, state }: Sphere, to: BareJid, signal: AbortSignal): Promise<void> {
    const { rooms, clock, log } = this.#deps;
    const right = roomRights(state).get(to);
    if (right === undefined || (role !== 'owner' && role !== 'admin') || !rooms.isInside(row.room)) return;
    const give = (wanted: RoomRight): Promise<void> =>
      withinTime({ clock, ms: RIGHT_MS }, signal, (limited) => rooms.setAffiliation(row.room, to, wanted, limited));
    try {
      // XEP-0045 §5.2: of what is above a member only an owner of the room disposes.
      await give(right).catch(() => give('member'));
    } catch (error) {
      signal.throwIfAborted();
      log.info('the room lets the new address in once others see to it', { error });
    }
  }
}
