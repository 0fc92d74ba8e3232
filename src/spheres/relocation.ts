import type { Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { BareJid, DeviceKey } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Storage } from '../storage/storage.ts';
import { addressee, parseAudience } from './audience.ts';
import { devicesToEnd } from './devices-to-end.ts';
import type { EphemeralChannel } from './ephemeral-channel.ts';
import type { Moved } from './former-rooms.ts';
import { FormerRooms } from './former-rooms.ts';
import { movedLine } from './human-line.ts';
import { encodeEnvelope } from './protocol/envelope.ts';
import { membershipEntries } from './protocol/invitation.ts';
import type { SignedEvent } from './protocol/event.ts';
import { knownDevice } from './recipients.ts';
import { enqueueRelays } from './relay.ts';
import type { Rooms } from './rooms.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface RelocationDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly rooms: Pick<Rooms, 'onPresence' | 'keepJoined' | 'leave' | 'destroy' | 'isCaughtUp' | 'isGone'>;
  readonly channel: Pick<EphemeralChannel, 'onHere'>;
  /** Something new stands in the outbox. */
  readonly queued: () => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** So long a room that the sphere has left is read, for the sake of those who have not heard of it. */
const LASTS_MS = 30 * DAY_MS;
/** Whoever moves it on and on has us in no more rooms. */
const MOST_READ = 8;
/** Whoever came last may still be reading there what they missed. */
const REST_MS = HOUR_MS;
/**
 * Whoever was not heard in the new room by then is told once more, by those who decide before the others; and again, because
 * servers do not keep for ever what nobody fetches.
 */
const TELL = {
  deciding: { afterMs: DAY_MS, againMs: 7 * DAY_MS },
  others: { afterMs: 3 * DAY_MS, againMs: 28 * DAY_MS },
  /** Who is there, but in a room that was left. */
  strayedAgainMs: DAY_MS,
};
/** Whoever was away for longer is brought in anew. */
const TOLD_FOR_MS = 365 * DAY_MS;

/** Brings this device to the room that the log says the sphere is in, and gives up those that it was in before. */
export class Relocation {
  readonly #deps: RelocationDeps;
  readonly #former: FormerRooms;
  /** Devices of a sphere that were heard in a room that it has left, and not in that of now since. */
  readonly #strayed = new Set<string>();

  constructor(deps: RelocationDeps) {
    this.#deps = deps;
    this.#former = new FormerRooms(deps.storage);
    deps.channel.onHere.on(({ sphere, device, room }) => {
      const isHere = room === sphere.row.room;
      this.#strayed[isHere ? 'delete' : 'add'](`${sphere.id} ${device}`);
      if (isHere) this.#former.noteHeard(sphere.id, device, deps.clock.now());
    });
    deps.rooms.onPresence.on((room) => void this.#giveUpIfGone(room));
  }

  /** What is said from now on, and what waits, goes to the new room; the old one is read for a while. */
  follow(sphere: Sphere): void {
    const { storage, list, rooms, queued, clock, log } = this.#deps;
    const { room, archiveCursor, state } = sphere.row;
    const to = sphere.log.room;
    if (to === undefined || to === room || state === 'left' || state === 'removed') return;
    const other = list.ofRoom(to);
    if (other !== undefined && other !== sphere) {
      // What is said in a room is read as of one sphere: nobody moves one into another's.
      log.warn('sphere not followed into the room of another one', { sphereId: sphere.id, other: other.id });
      return;
    }
    list.together(sphere, () => {
      const cursor = this.#former.exchange(sphere.id, { room, cursor: archiveCursor }, to, clock.now());
      const isOurs = sphere.log.moved?.header.device === sphere.device;
      if (isOurs) this.#former.noteTold(sphere.id, [...sphere.state.devices.keys()], clock.now());
      storage.spheres.update(sphere.id, { room: to, archiveCursor: cursor });
      this.#readdress(sphere, room, to);
      this.#tellInvited(sphere);
    });
    rooms.keepJoined(to);
    queued();
    log.info('sphere followed to another room', { sphereId: sphere.id });
  }

  /** What time changes: who is told once more, and which rooms are given up. */
  async lookAt(sphere: Sphere, signal: AbortSignal): Promise<void> {
    const { state } = sphere.row;
    const isOver = state === 'left' || state === 'removed';
    if (!isOver) this.#tellAgain(sphere);
    const former = this.#former.roomsOf(sphere.id);
    for (const [index, room] of former.entries()) {
      const isTooMany = index < former.length - MOST_READ;
      if (isOver || isTooMany || (await this.#isDone(sphere, room, signal))) await this.#giveUp(sphere, room);
    }
    const moved = this.#former.of(sphere.id);
    if (moved === undefined || Object.keys(moved.rooms).length > 0) return;
    const isOld = this.#deps.clock.now() - moved.movedAtMs >= TOLD_FOR_MS;
    if (isOver || isOld || this.#unheard(sphere).length === 0) this.#former.end(sphere.id);
  }

  /** All but the word that says so in the old room. */
  #readdress(sphere: Sphere, from: BareJid, to: BareJid): void {
    const { outbox } = this.#deps.storage;
    for (const { id, sphereId, to: goesTo, eventId } of [...outbox.queued(), ...outbox.list('failed')]) {
      if (sphereId === sphere.id && goesTo === from && eventId !== sphere.log.moved?.id) outbox.update(id, { to });
    }
  }

  /** Those who have not answered yet know the room of their invitation: whom we invited ourselves, and all when we moved it. */
  #tellInvited(sphere: Sphere): void {
    const { log } = sphere;
    // When a move is refused after all, what came with it shows that.
    const event = log.moved ?? log.events().findLast(({ type }) => type === 'room');
    if (event?.type !== 'room') return;
    const line = movedLine(sphere.row.room);
    for (const { jid, state } of sphere.state.members.values()) {
      const isOurs = event.header.device === sphere.device || hasInvited(sphere, jid);
      if (state !== 'invited' || !isOurs) continue;
      const envelope = encodeEnvelope(membershipEntries(log, event));
      sphere.enqueueEnvelope(event.id, envelope, jid, { audience: { kind: 'account', jid }, line });
    }
  }

  #tellAgain(sphere: Sphere): void {
    const { storage, clock, queued } = this.#deps;
    const moved = this.#former.of(sphere.id);
    const event = sphere.log.moved;
    if (moved === undefined || event === null) return;
    const nowMs = clock.now();
    const lost = this.#unheard(sphere).filter((device) => nowMs >= this.#dueAtMs(sphere, moved, device));
    if (lost.length === 0) return;
    storage.transaction(() => {
      const entries = membershipEntries(sphere.log, event as SignedEvent);
      for (const device of lost) {
        const known = knownDevice(sphere.state, device);
        if (known !== undefined) enqueueRelays(sphere, entries, known);
      }
      this.#former.noteTold(sphere.id, lost, nowMs);
    });
    for (const device of lost) this.#strayed.delete(`${sphere.id} ${device}`);
    queued();
  }

  /** When a device that was not heard is told next. */
  #dueAtMs({ id, role }: Sphere, { movedAtMs, told }: Moved, device: DeviceKey): number {
    const { afterMs, againMs } = TELL[role === 'owner' || role === 'admin' ? 'deciding' : 'others'];
    const toldAtMs = told[device];
    if (this.#strayed.has(`${id} ${device}`)) return (toldAtMs ?? -Infinity) + TELL.strayedAgainMs;
    return toldAtMs === undefined ? movedAtMs + afterMs : toldAtMs + againMs;
  }

  /** Devices of members that were not heard in the new room. */
  #unheard(sphere: Sphere): DeviceKey[] {
    const heard = new Set<DeviceKey>(this.#former.of(sphere.id)?.heard);
    const toEnd = devicesToEnd(this.#deps.storage);
    return [...sphere.state.devices.keys()].filter(
      (device) => device !== sphere.device && !heard.has(device) && !toEnd.has(device),
    );
  }

  async #isDone(sphere: Sphere, room: BareJid, signal: AbortSignal): Promise<boolean> {
    const { rooms, clock } = this.#deps;
    const moved = this.#former.of(sphere.id);
    const sinceMs = moved?.rooms[room]?.sinceMs ?? 0;
    if (rooms.isGone(room)) return true;
    const isOld = clock.now() - sinceMs >= LASTS_MS;
    const isQuiet = clock.now() - Math.max(sinceMs, moved?.heardAtMs ?? 0) >= REST_MS;
    // Who has not answered an invitation, or has another program, is heard nowhere.
    const isAnybodyInvited = [...sphere.state.members.values()].some(({ state }) => state === 'invited');
    const isEverybodyHere = isQuiet && !isAnybodyInvited && this.#unheard(sphere).length === 0;
    const mayEnd = sphere.role === 'owner' && rooms.isCaughtUp(room) && !this.#isAwaited(sphere, room);
    return (mayEnd && (isOld || isEverybodyHere) && (await this.#destroy(sphere, room, signal))) || isOld;
  }

  #isAwaited(sphere: Sphere, room: BareJid): boolean {
    return this.#deps.storage.outbox.queued().some(({ sphereId, to, audience }) => {
      return sphereId === sphere.id && to === room && addressee(parseAudience(audience)) === undefined;
    });
  }

  async #destroy(sphere: Sphere, room: BareJid, signal: AbortSignal): Promise<boolean> {
    const { rooms, log } = this.#deps;
    try {
      await rooms.destroy(room, sphere.row.room, signal);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      log.info('room that the sphere has left not removed', { code: errorCode(error), error });
      return false;
    }
  }

  /** At once: whoever makes it again at that server must not find us there. */
  async #giveUpIfGone(room: BareJid): Promise<void> {
    const { list, rooms, log } = this.#deps;
    const sphereId = rooms.isGone(room) ? this.#former.sphereOf(room) : undefined;
    const sphere = sphereId === undefined ? undefined : list.find(sphereId);
    try {
      if (sphere !== undefined) await this.#giveUp(sphere, room);
    } catch (error) {
      // It is looked at again within the hour.
      log.warn('room that is gone not given up', { error });
    }
  }

  async #giveUp(sphere: Sphere, room: BareJid): Promise<void> {
    const { storage, list, rooms } = this.#deps;
    list.together(sphere, () => {
      this.#former.forget(sphere.id, room);
      for (const { id, sphereId, to, eventId } of [...storage.outbox.queued(), ...storage.outbox.list('failed')]) {
        if (sphereId !== sphere.id || to !== room) continue;
        // Whoever was to hear it there has heard it otherwise.
        storage.outbox.remove(id);
        const line = storage.events.lineOf(eventId);
        if (storage.messages.get(line) !== undefined) storage.messages.update(line, { state: 'sent', failure: null });
      }
    });
    await rooms.leave(room);
  }
}

function hasInvited({ log, device }: Sphere, jid: BareJid): boolean {
  return log
    .events()
    .some(({ type, header, body }) => type === 'invite' && header.device === device && body.jid === jid);
}
