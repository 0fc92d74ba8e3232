import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { errorCode } from '../base/errors.ts';
import type { BareJid, DeviceKey, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import type { Storage } from '../storage/storage.ts';
import { bareJidOf } from '../xmpp/jid.ts';
import type { RoomRight, RoomService } from './members.ts';
import { FormerRooms } from './former-rooms.ts';
import { isLateAnswer } from './late-answer.ts';
import type { SignedEvent } from './protocol/event.ts';
import type { SphereState } from './protocol/sphere-state.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import { startEpoch } from './start-epoch.ts';
import { wasWelcomed, welcomeDevice } from './welcome.ts';

/** What an account may do in a room was not what the sphere says, although it had been, and is again. */
export interface MendedRight {
  readonly room: BareJid;
  readonly jid: BareJid;
  readonly right: RoomRight;
}

interface CaretakerDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly rooms: Pick<RoomService, 'affiliations' | 'setAffiliation' | 'invite' | 'present'>;
  readonly own: BareJid;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/**
 * How long the key that follows a removal may be on its way; then the owner begins one, and admins if the owner does not.
 * Not all their computers at once: each would begin its own.
 */
const OWNER_WAITS_MS = { least: 20_000, spread: 20_000 };
const ADMIN_WAITS_MS = { least: 120_000, spread: 180_000 };
/** Each further one names one more end that the others could not; the next change goes on with it. */
const MOST_EPOCHS_AT_ONCE = 8;

/** What this device does for a sphere by itself: welcomes newcomers, renews keys, keeps the room as the log says. */
export class Caretaker {
  readonly onMended: Emitter<MendedRight>;
  readonly #deps: CaretakerDeps;
  /** What the sphere said when a room was last found, or made, to be so. */
  readonly #kept = new Map<BareJid, Map<BareJid, RoomRight>>();
  readonly #waiting = new Set<SphereId>();

  constructor(deps: CaretakerDeps) {
    this.#deps = deps;
    this.onMended = new Emitter((error) => deps.log.error('rights listener failed', { error }));
  }

  /** An answer to an invitation came: the new device gets the log and the keys from whoever invited, and the owner. */
  welcome(sphere: Sphere, joined: SignedEvent): void {
    if (joined.type !== 'join' || joined.header.device === sphere.device) return;
    const invite = sphere.log.get(joined.body.invite);
    const isOurs = invite?.header.person === sphere.person;
    const me = sphere.placeOf(this.#deps.own);
    if (me?.state !== 'joined' || (!isOurs && me.role !== 'owner')) return;
    // Whoever answers over and over gets no log without end.
    if (isLateAnswer(sphere, joined) && this.#hasWelcomed(sphere, joined.header.device)) return;
    const jid = sphere.jidOf(joined.header.person);
    const isPresent = [...this.#deps.rooms.present(sphere.row.room)].some((full) => bareJidOf(full) === jid);
    welcomeDevice(sphere, this.#deps.storage, joined, { isPresent });
  }

  /** After a start: answers that were kept, but whose welcome was not. */
  welcomePending(sphere: Sphere): void {
    for (const event of sphere.log.events()) {
      if (event.type !== 'join') continue;
      if (sphere.log.verdict(event.id)?.kind !== 'accepted' && !isLateAnswer(sphere, event)) continue;
      const isHere = sphere.state.devices.has(event.header.device);
      if (isHere && !wasWelcomed(this.#deps.storage, event)) this.welcome(sphere, event);
    }
  }

  #hasWelcomed(sphere: Sphere, device: DeviceKey): boolean {
    const { storage } = this.#deps;
    return sphere.log
      .events()
      .some((event) => event.type === 'join' && event.header.device === device && wasWelcomed(storage, event));
  }

  /** After somebody has gone: owners and admins see to it that what follows is under a key the gone do not have. */
  renewEpoch(sphere: Sphere): void {
    for (let begun = 0; begun < MOST_EPOCHS_AT_ONCE && this.#isToRenew(sphere); begun += 1) {
      startEpoch(this.#deps, sphere, sphere.state.epochs.length === 0 ? 'start' : 'removal');
    }
  }

  /** Whoever removes begins an epoch as well: only when that knew too little, or does not come, it takes another one. */
  async renewEpochLater(sphere: Sphere, signal: AbortSignal): Promise<void> {
    if (this.#waiting.has(sphere.id) || !this.#isToRenew(sphere)) return;
    const { clock, random } = this.#deps;
    const { least, spread } = sphere.role === 'owner' ? OWNER_WAITS_MS : ADMIN_WAITS_MS;
    this.#waiting.add(sphere.id);
    try {
      await clock.sleep(least + randomFraction(random) * spread, signal);
    } finally {
      this.#waiting.delete(sphere.id);
    }
    if (sphere.row.state === 'joined') this.renewEpoch(sphere);
  }

  #isToRenew({ role, state }: Sphere): boolean {
    return (role === 'owner' || role === 'admin') && state.isEpochDue;
  }

  /**
   * Asks who may enter the room; owner and admins make of it what the log says of those it knows. It differs after a
   * crash, when somebody left, was removed or got other rights while they were away, or when the server changed it.
   */
  async tidyRoom(sphere: Sphere, signal: AbortSignal): Promise<void> {
    await this.#trying(signal, () => this.#tidy(sphere, signal));
    for (const room of new FormerRooms(this.#deps.storage).roomsOf(sphere.id)) {
      await this.#trying(signal, () => this.#shutOut(sphere, room, signal));
    }
  }

  async #tidy(sphere: Sphere, signal: AbortSignal): Promise<void> {
    const { rooms, own } = this.#deps;
    const { room } = sphere.row;
    const { members } = sphere.state;
    const listed = await rooms.affiliations(room, signal);
    const { role } = sphere;
    if (role !== 'owner' && role !== 'admin') return;
    const rights = roomRights(sphere.state);
    const given = new Map(listed.map(({ jid, affiliation }) => [jid, affiliation]));
    // A new owner of the sphere gets the room from whoever has it.
    const ownsRoom = given.get(own) === 'owner';
    const kept = this.#kept.get(room) ?? new Map<BareJid, RoomRight>();
    this.#kept.set(room, kept);
    for (const { jid, state } of members.values()) {
      const has = given.get(jid) ?? 'none';
      const wanted = rights.get(jid) ?? 'none';
      // Rights of owners are for the owner to change; who is refused the door is let in by whoever may.
      const isForOwner = has === 'owner' || has === 'admin' || wanted === 'owner' || wanted === 'admin';
      const isAllowed = !isForOwner || role === 'owner' || (members.get(jid)?.role === 'owner' && ownsRoom);
      const wasSo = kept.get(jid) === wanted;
      if (has === wanted) kept.set(jid, wanted);
      if (jid === own || has === wanted || !isAllowed) continue;
      await rooms.setAffiliation(room, jid, wanted, signal);
      kept.set(jid, wanted);
      if (wasSo) this.onMended.emit({ room, jid, right: wanted });
      if (state === 'joined' && (has === 'none' || has === 'outcast')) await rooms.invite(room, jid);
    }
    const present = new Set([...rooms.present(room)].map((full) => bareJidOf(full)));
    for (const [before, now] of sphere.state.moved) {
      const has = given.get(before) ?? 'none';
      // Until they are in under the new address, the old one is how they reach us.
      const isGone = ['left', 'removed'].includes(members.get(now)?.state ?? '');
      if (has === 'none' || (!present.has(now) && !isGone) || before === own) continue;
      if (has === 'member' || role === 'owner') await rooms.setAffiliation(room, before, 'none', signal);
    }
  }

  /** Of a room that the sphere has left for another one: whoever is gone from the sphere is gone from there too. */
  async #shutOut({ role, state: { members, moved } }: Sphere, room: BareJid, signal: AbortSignal): Promise<void> {
    const { rooms, own } = this.#deps;
    if (role !== 'owner' && role !== 'admin') return;
    for (const { jid, affiliation } of await rooms.affiliations(room, signal)) {
      const isGone = ['left', 'removed'].includes(members.get(moved.get(jid) ?? jid)?.state ?? '');
      const isAllowed = role === 'owner' || affiliation === 'member';
      if (isGone && isAllowed && jid !== own) await rooms.setAffiliation(room, jid, 'none', signal);
    }
  }

  async #trying(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const { log } = this.#deps;
    try {
      await work();
    } catch (error) {
      signal.throwIfAborted();
      // The next time we come into the room it is looked at again.
      const isUsual = ['disconnected', 'not-allowed'].includes(errorCode(error));
      log[isUsual ? 'debug' : 'warn']('list of members not compared', { error });
    }
  }
}

/**
 * What the room should let each account of the log do. The first admin is an owner of the room too, so that one lost
 * account does not leave a room that nobody can mend.
 */
export function roomRights({ members }: SphereState): ReadonlyMap<BareJid, RoomRight> {
  const present = [...members.values()].filter(({ state }) => state === 'joined' || state === 'invited');
  const second = present.find(({ role, state }) => role === 'admin' && state === 'joined')?.jid;
  return new Map(
    present.map(({ jid, role }): [BareJid, RoomRight] => {
      if (role === 'owner' || jid === second) return [jid, 'owner'];
      return [jid, role === 'admin' ? 'admin' : 'member'];
    }),
  );
}
