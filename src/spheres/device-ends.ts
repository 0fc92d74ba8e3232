import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import type { Clock } from '../base/clock.ts';
import type { DeviceKey, SphereId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import type { Comeback } from './comeback.ts';
import {
  devicesToEnd,
  endsAtOnce,
  endWishes,
  noteDeviceToEnd,
  noteWaitingEnds,
  waitingEnds,
} from './devices-to-end.ts';
import type { Lack } from './lack-of.ts';
import type { LogExchange } from './log-exchange.ts';
import type { Author, SignedEvent } from './protocol/event.ts';
import type { SphereState } from './protocol/sphere-state.ts';
import { knownDevice } from './recipients.ts';
import type { Rooms } from './rooms.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import { tellAlone } from './tell-alone.ts';

/** What comparing logs with those who are there tells of what is not here. */
export type ComparedLogs = Pick<LogExchange, 'isGathered' | 'isComplete' | 'isExhausted' | 'lackOf'>;

/** Since when the end of each waits, by the clock. */
type Ends = ReturnType<typeof noteWaitingEnds>;

/** One whose end waits in a sphere. */
interface Ending {
  readonly device: DeviceKey;
  readonly sinceMs: number;
  /** All that are ended in the sphere. */
  readonly ending: ReadonlySet<DeviceKey>;
  readonly lack: Lack;
  /** Whether nobody is left who could tell more. */
  readonly isAlone: boolean;
}

interface DeviceEndsDeps {
  readonly storage: Pick<Storage, 'settings' | 'ownDevices'>;
  readonly list: SphereList;
  readonly rooms: Pick<Rooms, 'isCaughtUp' | 'listed' | 'present' | 'occupants'>;
  readonly logs: () => ComparedLogs;
  readonly comeback: Pick<Comeback, 'endsOthers' | 'endsOthersIn' | 'hasEndedOthers' | 'sinceMs'>;
  readonly author: Author;
  readonly isOnline: () => boolean;
  readonly clock: Clock;
}

const COMPLETE = 'complete-spheres';
const completeSchema = z.record(z.string(), z.number());
const HOUR_MS = 3_600_000;
/** For so long a room's archive surely holds what was said since; servers forget after a week and later. */
const LATELY_MS = 5 * 24 * HOUR_MS;
/** An honest computer that is on gives within minutes what it says that it has. */
const OWN_WORD_MS = HOUR_MS;
/** Also whom its person wants gone at once: those who are there are about to give what they have. */
const HELD_BACK_MS = 300_000;
/** It may have to be looked at with each word that anybody says. */
const LOOK_EVERY_MS = 10_000;
/** No clock that its person looks at is as wrong. */
const CLOCKS_MS = 24 * HOUR_MS;

/**
 * Ends devices of our person: in every sphere that we are in, and in those that we come into, or back into, later. What
 * they said and is not here would be refused for everybody, so each end waits until all of it is.
 */
export class DeviceEnds {
  readonly #deps: DeviceEndsDeps;
  /** What was tried in this run: an end that others refuse is not said over and over. */
  readonly #tried = new Set<string>();
  /** Since when the ends that do not wait are held back, by device and sphere; monotonic, in this session. */
  readonly #heldBackMs = new Map<string, number>();
  /** When it was looked last whether a sphere is complete; monotonic. */
  readonly #lookedAtMs = new Map<SphereId, number>();

  constructor(deps: DeviceEndsDeps) {
    this.#deps = deps;
  }

  /** Whether a device of ours is gone for good, by word of its person here or in any sphere. */
  has(device: DeviceKey): boolean {
    const { storage, list } = this.#deps;
    return endWishes(storage).has(device) || list.all().some(({ state }) => this.#isEndedIn(state, device));
  }

  /** In each new session: rooms are read anew. */
  begin(): void {
    this.#heldBackMs.clear();
  }

  /**
   * The person says so; `isAtOnce`: where it is listed now, whatever is not here. It is kept before anything else: what is
   * not done now is done later.
   */
  note(device: DeviceKey, isAtOnce: boolean): void {
    const { storage, list } = this.#deps;
    const listing = list.all().filter(({ state }) => isAtOnce && state.devices.has(device));
    const atOnceIn = listing.map(({ id }) => id);
    noteDeviceToEnd(storage, device, atOnceIn);
    this.#tried.clear();
  }

  /** Whether something is due that nothing but time brings. */
  get isHoldingBack(): boolean {
    return this.#heldBackMs.size > 0;
  }

  /** Whether it is listed somewhere still, because its end waits for what it said. */
  isWaiting(device: DeviceKey): boolean {
    return Object.values(waitingEnds(this.#deps.storage)).some((waiting) => device in waiting);
  }

  /**
   * Ends those who are gone where they are listed still, as soon as everything that they said is here. Whether others wait
   * now than before.
   */
  settle(spheres: readonly Sphere[]): boolean {
    const { storage, list, author, comeback } = this.#deps;
    for (const sphere of spheres) this.#noteComplete(sphere);
    const ended = list
      .all()
      .flatMap(({ state }) => [...state.endedDevices.keys()].filter((one) => this.#isEndedIn(state, one)));
    const lost = comeback.endsOthers ? list.all().flatMap((sphere) => this.#lostIn(sphere)) : [];
    const gone = new Set([...endWishes(storage), ...ended, ...lost]);
    // Whom others of ours have ended has no say in it.
    if (gone.has(author.device.id)) return false;
    const before = waitingEnds(storage);
    if (gone.size === 0 && !comeback.endsOthers && Object.keys(before).length === 0) return false;
    for (const sphere of spheres) this.#settleIn(sphere, gone, before[sphere.id] ?? {});
    return !isDeepStrictEqual(waitingEnds(storage), before);
  }

  #othersIn({ device: own, person, state }: Sphere): DeviceKey[] {
    const listed = [...state.devices.values()].filter((one) => one.person === person && one.device !== own);
    return listed.map(({ device }) => device);
  }

  /** Those of before, where their person said that all of these are gone. */
  #lostIn(sphere: Sphere): DeviceKey[] {
    if (!this.#deps.comeback.endsOthersIn(sphere.id)) return [];
    return this.#othersIn(sphere).filter((device) => this.#isLost(sphere, device));
  }

  #settleIn(sphere: Sphere, gone: ReadonlySet<DeviceKey>, waiting: Ends): void {
    const { storage, list, logs, author, comeback, clock } = this.#deps;
    const isIn = sphere.row.state === 'joined' && sphere.state.devices.has(author.device.id);
    const ending = new Set(isIn ? this.#othersIn(sphere).filter((device) => gone.has(device)) : []);
    const isDone = isIn && ending.size === 0 && comeback.endsOthersIn(sphere.id);
    // Whoever is not listed yet may be in what is still to come.
    if (isDone && (logs().isComplete(sphere, gone) || this.#isAlone(sphere, gone))) comeback.hasEndedOthers(sphere.id);
    const untried = [...ending].filter((device) => !this.#tried.has(`${sphere.id} ${device}`));
    const since = noteWaitingEnds(storage, sphere.id, untried, clock.now());
    const due = untried.length === 0 ? [] : this.#dueIn(sphere, { since, ending, gone });
    for (const device of due) this.#tryIn(sphere, device);
    const rest = untried.filter((device) => !due.includes(device));
    noteWaitingEnds(storage, sphere.id, rest, clock.now());
    for (const device of gone) if (!rest.includes(device)) this.#heldBackMs.delete(`${sphere.id} ${device}`);
    // Nobody whose end waits is served meanwhile.
    const isOther = !isDeepStrictEqual(Object.keys(waiting).toSorted(), rest.toSorted());
    if (due.length === 0 && isOther) list.announce(sphere, [{ kind: 'members' }]);
  }

  /** Those that need not wait, or not any more, of all whose end is still to be written. */
  #dueIn(
    sphere: Sphere,
    { since, ending, gone }: Pick<Ending, 'ending'> & { since: Ends; gone: ReadonlySet<DeviceKey> },
  ): DeviceKey[] {
    const rest = {
      ending,
      lack: this.#deps.logs().lackOf(sphere, ending),
      isAlone: this.#isAlone(sphere, gone),
    };
    const due = Object.entries(since).filter(([device, sinceMs]) => {
      const one = { ...rest, device: device as DeviceKey, sinceMs };
      return this.#hasAllOf(sphere, one) || this.#isDueAtOnce(sphere, one);
    });
    return due.map(([device]) => device as DeviceKey);
  }

  /**
   * Whether everything that it said is here: nobody present knows of more, or knows of more of others only and does not
   * give it; or nobody need be present, because lately nothing was lacking, and the archive was read since. What those who
   * are ended alone say that they have said they have time to give.
   */
  #hasAllOf(sphere: Sphere, { device, sinceMs, ending, lack, isAlone }: Ending): boolean {
    const { rooms, clock } = this.#deps;
    const logs = this.#deps.logs();
    if (logs.isComplete(sphere, ending)) return true;
    if (!rooms.isCaughtUp(sphere.row.room) || !logs.isGathered(sphere)) return false;
    // Who has it may not be there for weeks; its person may decide otherwise.
    if (lack.byOthers.has(device)) {
      this.#forgetComplete(sphere);
      return false;
    }
    // Where nobody else is to tell of more, it has the time to, unless it did before.
    const mayGive = lack.byThemselves.has(device) || (isAlone && !this.#wasComplete(sphere));
    if (mayGive && clock.now() - sinceMs < OWN_WORD_MS) return false;
    // Those who are ended might tell of nothing, to hasten it.
    return isAlone || logs.isExhausted(sphere, ending) || this.#wasComplete(sphere);
  }

  /** Whether its person has said that its end need not wait, and those who are there had time to give what they have. */
  #isDueAtOnce(sphere: Sphere, { device, ending }: Ending): boolean {
    const { storage, rooms, logs, isOnline, clock } = this.#deps;
    if (!endsAtOnce(storage, sphere.id).has(device) || !isOnline()) return false;
    const key = `${sphere.id} ${device}`;
    const nowMs = clock.monotonic();
    const heldBackMs = this.#heldBackMs.get(key) ?? nowMs;
    this.#heldBackMs.set(key, heldBackMs);
    const isNobodyThere = rooms.isCaughtUp(sphere.row.room) && rooms.occupants(sphere.row.room).length <= 1;
    return isNobodyThere || logs().isExhausted(sphere, ending) || nowMs - heldBackMs >= HELD_BACK_MS;
  }

  /** Whether there is nobody but those who are gone; who came in by what is not here yet stands on the room's list. */
  #isAlone({ state, log, device, person, row }: Sphere, gone: ReadonlySet<DeviceKey>): boolean {
    const { rooms } = this.#deps;
    const own = state.accounts.get(person);
    const listed = [...rooms.listed(row.room), ...rooms.present(row.room)].map((jid) => jid.split('/', 1)[0]);
    const isNobodyListed = listed.length > 0 && listed.every((jid) => jid === own);
    const isNobodyElse = [...state.members.values()].every(
      (member) => member.jid === own || (member.state !== 'joined' && member.state !== 'invited'),
    );
    const areAllGone = gone.size > 0 && [...state.devices.keys()].every((one) => one === device || gone.has(one));
    const isWhole = rooms.isCaughtUp(row.room) && log.missing().ranges.length === 0;
    return areAllGone && isNobodyElse && isNobodyListed && isWhole;
  }

  #wasComplete(sphere: Sphere): boolean {
    return Math.abs(this.#deps.clock.now() - (this.#complete()[sphere.id] ?? -Infinity)) < LATELY_MS;
  }

  /** Of a sphere that we were out of nobody knows what was said meanwhile; what was told of is not forgotten. */
  #noteComplete(sphere: Sphere): void {
    const { storage, clock } = this.#deps;
    if (sphere.row.state !== 'joined') {
      this.#forgetComplete(sphere);
      return;
    }
    const atMs = this.#complete()[sphere.id];
    const isOld = atMs === undefined || Math.abs(clock.now() - atMs) >= HOUR_MS;
    if (isOld && this.#isComplete(sphere)) {
      storage.settings.set(COMPLETE, { ...this.#complete(), [sphere.id]: clock.now() });
      return;
    }
    const nowMs = clock.monotonic();
    if (atMs === undefined || nowMs - (this.#lookedAtMs.get(sphere.id) ?? -Infinity) < LOOK_EVERY_MS) return;
    this.#lookedAtMs.set(sphere.id, nowMs);
    const toEnd = devicesToEnd(storage);
    const { byOthers } = this.#lackIn(sphere);
    const { byThemselves } = this.#deps.logs().lackOf(sphere, new Set());
    // One that is not lost yet may have given to others what it tells of.
    const isLacking = byOthers.size > 0 || [...byThemselves].some((device) => !toEnd.has(device));
    if (isLacking) this.#forgetComplete(sphere);
  }

  #forgetComplete({ id }: Sphere): void {
    const { [id]: atMs, ...rest } = this.#complete();
    if (atMs !== undefined) this.#deps.storage.settings.set(COMPLETE, rest);
  }

  /** As far as those present know; or all of it was here lately, and the archive gave what was said since. */
  #isComplete(sphere: Sphere): boolean {
    if (this.#deps.logs().isComplete(sphere, devicesToEnd(this.#deps.storage))) return true;
    const isRead = this.#deps.rooms.isCaughtUp(sphere.row.room);
    if (!isRead || !this.#wasComplete(sphere)) return false;
    const { byOthers, byThemselves } = this.#lackIn(sphere);
    return byOthers.size === 0 && byThemselves.size === 0;
  }

  #lackIn(sphere: Sphere): Lack {
    const { storage, logs } = this.#deps;
    return logs().lackOf(sphere, devicesToEnd(storage));
  }

  #complete(): Readonly<Record<string, number>> {
    return this.#deps.storage.settings.get(COMPLETE, (value) => completeSchema.parse(value)) ?? {};
  }

  /**
   * All devices of before are gone: those that spoke in the sphere before this one did. So does one that founds or joins a
   * sphere later and brings this one in; but that one has introduced itself here, or is in a sphere still in which all of
   * before were ended, and by its clock it came later.
   */
  #isLost(sphere: Sphere, device: DeviceKey): boolean {
    const { storage, comeback, list } = this.#deps;
    const isAfter = ({ id, state }: Sphere): boolean => !comeback.endsOthersIn(id) && state.devices.has(device);
    const [theirs, ours] = [device, sphere.device].map((one) => firstOf(sphere, one)?.header);
    if (theirs === undefined || ours === undefined || theirs.lamport >= ours.lamport) return false;
    const hasName = (storage.ownDevices.get(device)?.name ?? '') !== '';
    const isIn = list.all().some(isAfter);
    if (!hasName && !isIn) return true;
    // One that runs on in a thief's hands may have come into a new sphere before its end.
    return theirs.wallMs + (isIn ? CLOCKS_MS : 0) <= comeback.sinceMs;
  }

  #isEndedIn({ endedDevices }: SphereState, device: DeviceKey): boolean {
    return endedDevices.get(device) === this.#deps.author.person;
  }

  #tryIn(sphere: Sphere, device: DeviceKey): void {
    const key = `${sphere.id} ${device}`;
    // Writing it has this looked at once more.
    this.#tried.add(key);
    try {
      this.#endIn(sphere, device);
    } catch (error) {
      this.#tried.delete(key);
      throw error;
    }
  }

  #endIn(sphere: Sphere, device: DeviceKey): void {
    const { list, author } = this.#deps;
    if (sphere.state.devices.get(device)?.person !== author.person) return;
    const alone = knownDevice(sphere.state, device);
    const found = sphere.log.lastAccepted(author.person).find((line) => line.device === device);
    const last = found === undefined ? null : { sequence: found.sequence, hash: found.hash };
    list.together(sphere, () => {
      const event = list.publish(sphere, 'device-end', { device, last }, { audience: { kind: 'members' } });
      // It is no member's device any more, and is told by itself.
      if (alone !== undefined) tellAlone(sphere, event as SignedEvent, alone);
    });
  }
}

/** What a device said first: almost always the certificate that made it known. */
function firstOf({ log }: Sphere, device: DeviceKey): SignedEvent | undefined {
  return log.select({ ranges: [{ device, from: 0, to: 0 }], ids: [] })[0];
}
