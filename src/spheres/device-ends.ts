import * as z from 'zod';
import type { DeviceKey } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import type { Comeback } from './comeback.ts';
import type { Author, SignedEvent } from './protocol/event.ts';
import type { SphereState } from './protocol/sphere-state.ts';
import { knownDevice } from './recipients.ts';
import type { Rooms } from './rooms.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import { tellAlone } from './tell-alone.ts';

interface DeviceEndsDeps {
  readonly storage: Pick<Storage, 'settings' | 'ownDevices'>;
  readonly list: SphereList;
  readonly rooms: Pick<Rooms, 'isCaughtUp'>;
  /** Whether nobody present has more of a sphere to give than is here; for those who are gone nobody waits. */
  readonly isComplete: (sphere: Sphere, gone: ReadonlySet<DeviceKey>) => boolean;
  readonly comeback: Pick<Comeback, 'endsOthers' | 'endsOthersIn' | 'hasEndedOthers' | 'sinceMs'>;
  readonly author: Author;
}

const WISHED = 'devices-to-end';

/** Ends devices of our person: in every sphere that we are in, and in those that we come into, or back into, later. */
export class DeviceEnds {
  readonly #deps: DeviceEndsDeps;
  readonly #wished: Set<DeviceKey>;
  /** What was tried in this run: an end that others refuse is not said over and over. */
  readonly #tried = new Set<string>();
  /** What the person said before the archive of the sphere was read. */
  readonly #putOff = new Set<string>();

  constructor(deps: DeviceEndsDeps) {
    this.#deps = deps;
    this.#wished = new Set(
      deps.storage.settings.get(WISHED, (value) => z.array(z.string()).parse(value) as DeviceKey[]),
    );
  }

  /** Whether a device of ours is gone for good, by word of its person here or in any sphere. */
  has(device: DeviceKey): boolean {
    return this.#wished.has(device) || this.#deps.list.all().some(({ state }) => this.#isEndedIn(state, device));
  }

  /** The person says so. It is kept before anything else: what is not done now is done later. */
  note(device: DeviceKey): void {
    this.#wished.add(device);
    this.#deps.storage.settings.set(WISHED, [...this.#wished]);
  }

  /** Ends it in every sphere that we are in, once its archive is read: what it said, and is not here, would be refused. */
  end(device: DeviceKey): void {
    for (const sphere of this.#deps.list.all()) {
      if (sphere.row.state !== 'joined') continue;
      this.#putOff.add(`${sphere.id} ${device}`);
      this.#endPutOff(sphere);
    }
  }

  /** Ends those who are gone where they are listed still, as soon as everything that they said is here. */
  settle(spheres: readonly Sphere[]): void {
    const { list, author, comeback } = this.#deps;
    const ended = list
      .all()
      .flatMap(({ state }) => [...state.endedDevices.keys()].filter((one) => this.#isEndedIn(state, one)));
    const gone = new Set([...this.#wished, ...ended]);
    // Whom others of ours have ended has no say in it.
    if (gone.has(author.device.id) || (gone.size === 0 && !comeback.endsOthers)) return;
    for (const sphere of spheres) {
      this.#endPutOff(sphere);
      this.#settleIn(sphere, gone);
    }
  }

  /** The person said it of what is there now: nobody need be present for that. */
  #endPutOff(sphere: Sphere): void {
    const { state, room } = sphere.row;
    if (state !== 'joined' || !this.#deps.rooms.isCaughtUp(room)) return;
    for (const device of this.#wished) if (this.#putOff.delete(`${sphere.id} ${device}`)) this.#endIn(sphere, device);
  }

  #settleIn(sphere: Sphere, gone: ReadonlySet<DeviceKey>): void {
    const { isComplete, author, comeback } = this.#deps;
    const { device: own, person, state } = sphere;
    const listed = [...state.devices.values()].filter((one) => one.person === person && one.device !== own);
    const endsLost = comeback.endsOthersIn(sphere.id);
    const ending = listed.filter(({ device }) => gone.has(device) || (endsLost && this.#isLost(sphere, device)));
    const isIn = sphere.row.state === 'joined' && state.devices.has(author.device.id);
    if ((ending.length === 0 && !endsLost) || !isIn || !isComplete(sphere, gone)) return;
    if (ending.length === 0) comeback.hasEndedOthers(sphere.id);
    for (const { device } of ending) {
      const attempt = `${sphere.id} ${device}`;
      if (this.#tried.has(attempt)) continue;
      this.#tried.add(attempt);
      this.#endIn(sphere, device);
    }
  }

  /**
   * All devices of before are gone: those that spoke in the sphere before this one did. So does one that founds or joins a
   * sphere later and brings this one in; but that one has introduced itself here, and by its clock it came later, or it is
   * in a sphere still in which all of before were ended.
   */
  #isLost(sphere: Sphere, device: DeviceKey): boolean {
    const { storage, comeback, list } = this.#deps;
    const isAfter = ({ id, state }: Sphere): boolean => !comeback.endsOthersIn(id) && state.devices.has(device);
    if (list.all().some(isAfter)) return false;
    const [theirs, ours] = [device, sphere.device].map((one) => firstOf(sphere, one)?.header);
    if (theirs === undefined || ours === undefined || theirs.lamport >= ours.lamport) return false;
    const hasName = (storage.ownDevices.get(device)?.name ?? '') !== '';
    return !hasName || theirs.wallMs <= comeback.sinceMs;
  }

  #isEndedIn({ endedDevices }: SphereState, device: DeviceKey): boolean {
    return endedDevices.get(device) === this.#deps.author.person;
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
