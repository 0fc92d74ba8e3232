import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid, EventId, PersonId, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import { NO_LIMITS } from '../contract/views.ts';
import type { Storage } from '../storage/storage.ts';
import type { DeviceCertifier } from './device-certifier.ts';
import { isDeviceProven } from './device-proof.ts';
import type { DeliveredEvent } from './protocol/envelope.ts';
import { SphereLog } from './protocol/sphere-log.ts';
import type { SphereState } from './protocol/sphere-state.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface SphereAdoptionDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly rooms: { keepJoined(room: BareJid): void };
  readonly certifier: DeviceCertifier;
  readonly person: PersonId;
  readonly own: BareJid;
  /** Makes the sphere's folder; its absolute path. */
  readonly makeFolder: (name: string) => Promise<string>;
  /** An invitation to a sphere that we are in needs no answer any more. */
  readonly onInvitation: (id: string) => void;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** What somebody passes on of a sphere that is not here. */
export interface OfferedSphere {
  readonly sphereId: SphereId;
  /** Who sealed the message; the identity key has 33 bytes, in hex. null = it comes from a place of our own. */
  readonly sender: { readonly jid: BareJid; readonly omemoIdentityKey: string } | null;
  readonly delivered: readonly DeliveredEvent[];
}

/** Of spheres that are not here, and of one of them: whoever makes them up must not fill the memory. */
const MAX_SPHERES = 64;
const MAX_EVENTS = 20_000;
/** A full disk or a connection that breaks: nobody would offer it a second time by themselves. */
const RETRY = { baseMs: 5_000, maxMs: 600_000 };

/** Takes over spheres that our person is in already, once what was passed on of them proves it. */
export class SphereAdoption {
  readonly #deps: SphereAdoptionDeps;
  readonly #offered = new Map<SphereId, Map<EventId, DeliveredEvent>>();
  readonly #adopting = new Set<SphereId>();

  constructor(deps: SphereAdoptionDeps) {
    this.#deps = deps;
  }

  offered({ sphereId, sender, delivered }: OfferedSphere): void {
    const { list, spawn } = this.#deps;
    // One that was left stays so: a new invitation brings it back.
    if (list.find(sphereId) !== undefined) return;
    const parts = this.#offered.get(sphereId) ?? new Map<EventId, DeliveredEvent>();
    if (this.#offered.size >= MAX_SPHERES && !this.#offered.has(sphereId)) return;
    if (parts.size + delivered.length > MAX_EVENTS) return;
    for (const one of delivered) parts.set(one.event.id, one);
    this.#offered.set(sphereId, parts);
    const log = new SphereLog({ sphereId, isDeviceProven });
    log.addAll([...parts.values()].map(({ event }) => event));
    if (this.#adopting.has(sphereId) || !this.#isOurs(log) || !isFrom(log.state(), sender)) return;
    this.#adopting.add(sphereId);
    spawn('adopt sphere', (signal) => this.#keepTrying(log, signal));
  }

  /** Whether our person came into it by a device of their own, and is in it still. Nobody else can make that up. */
  #isOurs(log: SphereLog): boolean {
    const { own, person } = this.#deps;
    const { members, moved } = log.state();
    const me = members.get(moved.get(own) ?? own);
    if (me?.state !== 'joined' || me.person !== person || me.began === null) return false;
    const began = log.get(me.began);
    return log.events().some((event) => {
      const isOfIt = event.type === 'device' && event.header.device === began?.header.device;
      return isOfIt && event.header.person === person && log.verdict(event.id)?.kind === 'accepted';
    });
  }

  async #keepTrying(offered: SphereLog, signal: AbortSignal): Promise<void> {
    const { list, clock, random, log } = this.#deps;
    const { sphereId } = offered;
    try {
      for (let attempt = 0; list.find(sphereId) === undefined; attempt += 1) {
        try {
          await this.#adopt(offered, signal);
        } catch (error) {
          signal.throwIfAborted();
          log.warn('sphere not adopted yet', { sphereId, attempt, error });
          await clock.sleep(
            backoffDelay(attempt, RETRY, () => randomFraction(random)),
            signal,
          );
        }
      }
    } finally {
      this.#offered.delete(sphereId);
      this.#adopting.delete(sphereId);
    }
  }

  async #adopt(offered: SphereLog, signal: AbortSignal): Promise<void> {
    const { storage, list, rooms, certifier, makeFolder, clock, log } = this.#deps;
    const { sphereId, room } = offered;
    if (room === undefined) throw new AppError('internal', 'a sphere of ours without a beginning');
    const { name } = offered.state();
    const vouched = await certifier.vouched(signal);
    const folder = await makeFolder(name);
    const position = storage.spheres.list().length;
    const places = { archiveCursor: null, joinedLamport: 0, position, hidden: false, limits: NO_LIMITS };
    const row = { id: sphereId, name, room, folder, invitedBy: null, createdAtMs: clock.now(), ...places };
    const sphere = list.add({ ...row, state: 'joined' }, (added) => this.#fill(added, vouched));
    log.info('sphere adopted', { sphereId, events: sphere.log.size });
    rooms.keepJoined(room);
    this.#answerInvitations(sphere);
  }

  #fill(sphere: Sphere, vouched: Parameters<DeviceCertifier['certify']>[1]): void {
    const { storage, list, certifier, own } = this.#deps;
    list.takePast(sphere, [...(this.#offered.get(sphere.id)?.values() ?? [])]);
    // What was said before our person came is no news; what they have read since, their other devices tell.
    const began = sphere.placeOf(own)?.began ?? null;
    const joinedLamport = (began === null ? undefined : sphere.log.get(began))?.header.lamport ?? 0;
    storage.spheres.update(sphere.id, { joinedLamport });
    certifier.certify(sphere, vouched);
  }

  #answerInvitations({ id: sphereId }: Sphere): void {
    const { storage, onInvitation } = this.#deps;
    for (const { id, state } of storage.invitations.bySphere(sphereId)) {
      if (state !== 'open') continue;
      storage.invitations.update(id, { state: 'accepted' });
      onInvitation(id);
    }
  }
}

/** Whether a certified device of a member sent it. */
function isFrom({ devices }: SphereState, sender: OfferedSphere['sender']): boolean {
  if (sender === null) return true;
  return [...devices.values()].some(
    ({ jid, omemoIdentityKey }) => jid === sender.jid && omemoIdentityKey === sender.omemoIdentityKey,
  );
}
