import * as z from 'zod';
import { toHex } from '../base/bytes.ts';
import type { ErrorCode } from '../base/errors.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { BareJid, SphereId } from '../base/id.ts';
import { parseBareJid } from '../base/id.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import type { Storage } from '../storage/storage.ts';
import { roomRights } from './caretaker.ts';
import { movedLine } from './human-line.ts';
import type { RoomService } from './members.ts';
import type { SignedEvent } from './protocol/event.ts';
import { membershipEntries } from './protocol/invitation.ts';
import { MovedRooms } from './protocol/moved-rooms.ts';
import { knownDevices } from './recipients.ts';
import { enqueueRelays } from './relay.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface RoomMoverDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly rooms: Pick<RoomService, 'domain' | 'create' | 'destroy' | 'leave' | 'setAffiliation' | 'invite'>;
  /** The room service that a server has; the address may be that of the service itself. */
  readonly findService: (server: string, signal: AbortSignal) => Promise<string>;
  readonly own: BareJid;
  /** Something new stands in the outbox. */
  readonly queued: () => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** Rooms that were made and that no log names yet: a program that is killed in the middle of a move leaves one behind. */
const NOTE = 'rooms-made';
const schema = z.array(z.object({ room: z.string().transform((jid) => parseBareJid(jid)), atMs: z.number() }));
/** A server that was gone for so long is not asked to remove one any more. */
const ASKED_FOR_MS = 30 * 24 * 3_600_000;
const UNANSWERED: readonly ErrorCode[] = ['disconnected', 'timed-out', 'server-unreachable'];
/** No such server, none that speaks with ours, or one that does not let us make a room that stays closed. */
const REFUSED: readonly ErrorCode[] = [
  ...(['not-allowed', 'not-a-member', 'not-found', 'bad-input'] as const),
  ...(['server-lacks-rooms', 'server-unreachable', 'timed-out'] as const),
];

interface Made {
  readonly room: BareJid;
  readonly atMs: number;
}

/** Moves a sphere to a new room, at another server or at the same one. */
export class RoomMover {
  readonly #deps: RoomMoverDeps;
  readonly #moving = new Map<SphereId, BareJid>();

  constructor(deps: RoomMoverDeps) {
    this.#deps = deps;
  }

  /**
   * Makes the room, lets everybody in, and only then says so to all: until then nothing has changed for anybody. `server`:
   * null = our own. Fails with `room-refused` when it does not let us make such a room.
   */
  async move(sphereId: SphereId, server: string | null, signal: AbortSignal): Promise<Sphere> {
    const { list, rooms, findService, clock, random, log } = this.#deps;
    const sphere = list.getJoined(sphereId);
    requireAuthority(sphere);
    if (this.#moving.has(sphereId)) throw new AppError('conflict', 'it is being moved already');
    const service = server === null ? rooms.domain : await refusing(signal, () => findService(server, signal));
    const room = parseBareJid(`${toHex(random(16))}@${service}`);
    this.#moving.set(sphereId, room);
    this.#note([...this.#made(), { room, atMs: clock.now() }]);
    try {
      await refusing(signal, () => this.#make(sphere, room, signal));
      this.#announce(sphere, room);
    } catch (error) {
      // Once it is said the room stays; and where nobody answers the next session asks.
      if (sphere.log.room !== room && !isUnanswered(error)) {
        // Without a signal: whoever stops waiting must not leave a room behind.
        await this.#takeBack(room, new AbortController().signal);
      }
      throw error;
    } finally {
      this.#moving.delete(sphereId);
    }
    log.info('sphere moved to another room', { sphereId });
    await this.#inviteGuests(sphere, room);
    return sphere;
  }

  /** In each new session: removes what was made for a move that came to nothing. */
  async takeBack(signal: AbortSignal): Promise<void> {
    const underWay = new Set(this.#moving.values());
    for (const { room, atMs } of this.#made()) {
      if (underWay.has(room)) continue;
      await this.#takeBack(room, signal);
      if (this.#deps.clock.now() - atMs >= ASKED_FOR_MS) this.#forget(room);
    }
  }

  async #make(sphere: Sphere, room: BareJid, signal: AbortSignal): Promise<void> {
    const { rooms, own } = this.#deps;
    await rooms.create(room, signal);
    for (const [jid, right] of roomRights(sphere.state)) {
      if (jid !== own) await rooms.setAffiliation(room, jid, right, signal);
    }
  }

  /** From here on it is so: what is to be told stands in the outbox with the event. */
  #announce(sphere: Sphere, room: BareJid): void {
    const { list, queued } = this.#deps;
    list.getJoined(sphere.id);
    requireAuthority(sphere);
    list.together(sphere, () => {
      const number = MovedRooms.nextNumber(sphere.log.moved);
      const line = movedLine(room);
      const event = list.publish(sphere, 'room', { room, number }, { audience: { kind: 'members' }, line });
      if (sphere.log.moved?.id !== event.id) throw new AppError('conflict', 'the sphere is moved by somebody else');
      const entries = membershipEntries(sphere.log, event as SignedEvent);
      for (const { jid, state } of sphere.state.members.values()) {
        const devices = state === 'joined' ? knownDevices(sphere.state, jid, sphere.device) : [];
        if (devices.length > 0) enqueueRelays(sphere, entries, { kind: 'known', jid, devices });
      }
      this.#forget(room);
    });
    queued();
  }

  /** Ordinary programs come into a room that they are invited to; whoever has no encryption hears of it only so. */
  async #inviteGuests({ state }: Sphere, room: BareJid): Promise<void> {
    for (const member of state.members.values()) {
      if (member.state !== 'invited') continue;
      await this.#deps.rooms.invite(room, member.jid, 'store').catch((error: unknown) => {
        // The word in the old room, and the room that takes its place, lead there as well.
        this.#deps.log.info('a guest is not invited to the new room', { error });
      });
    }
  }

  async #takeBack(room: BareJid, signal: AbortSignal): Promise<void> {
    const { rooms, log } = this.#deps;
    try {
      await rooms.destroy(room, null, signal);
    } catch (error) {
      // Nobody answered: the next session asks again.
      if (signal.aborted || isUnanswered(error)) return;
      log.info('a room that was not used is not there', { error });
    } finally {
      await rooms.leave(room);
    }
    this.#forget(room);
  }

  #made(): readonly Made[] {
    return this.#deps.storage.settings.get(NOTE, (value) => schema.parse(value)) ?? [];
  }

  #forget(room: BareJid): void {
    this.#note(this.#made().filter((made) => made.room !== room));
  }

  #note(made: readonly Made[]): void {
    this.#deps.storage.settings.set(NOTE, made);
  }
}

function requireAuthority({ role }: Sphere): void {
  if (role !== 'owner' && role !== 'admin') throw new AppError('not-allowed', 'only owner and admins move a sphere');
}

function isUnanswered(error: unknown): boolean {
  const { cause } = error instanceof AppError ? error : {};
  return UNANSWERED.includes(errorCode(error)) || (cause !== undefined && isUnanswered(cause));
}

async function refusing<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    if (!REFUSED.includes(errorCode(error))) throw error;
    throw new AppError('room-refused', 'no room for the sphere can be made there', {}, error);
  }
}
