import { errorCode } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import type { Storage } from '../storage/storage.ts';
import type { RoomService } from './members.ts';
import type { SignedEvent } from './protocol/event.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import { startEpoch } from './start-epoch.ts';
import { wasWelcomed, welcomeDevice } from './welcome.ts';

interface CaretakerDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly rooms: Pick<RoomService, 'affiliations' | 'setAffiliation' | 'invite'>;
  readonly own: BareJid;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** What this device does for a sphere by itself: welcomes newcomers, renews keys, keeps the room as the log says. */
export class Caretaker {
  readonly #deps: CaretakerDeps;

  constructor(deps: CaretakerDeps) {
    this.#deps = deps;
  }

  /** An answer to an invitation came: the new device gets the log and the keys from whoever invited, and the owner. */
  welcome(sphere: Sphere, joined: SignedEvent): void {
    if (joined.type !== 'join' || joined.header.device === sphere.device) return;
    const invite = sphere.log.get(joined.body.invite);
    const isOurs = invite?.header.person === sphere.person;
    const me = sphere.state.members.get(this.#deps.own);
    if (me?.state !== 'joined' || (!isOurs && me.role !== 'owner')) return;
    welcomeDevice(sphere, this.#deps.storage, joined);
  }

  /** After a start: answers that were kept, but whose welcome was not. */
  welcomePending(sphere: Sphere): void {
    for (const event of sphere.log.events()) {
      if (event.type !== 'join' || sphere.log.verdict(event.id)?.kind !== 'accepted') continue;
      const isHere = sphere.state.devices.has(event.header.device);
      if (isHere && !wasWelcomed(this.#deps.storage, event)) this.welcome(sphere, event);
    }
  }

  /** After somebody has gone: owners and admins see to it that what follows is under a key the gone do not have. */
  renewEpoch(sphere: Sphere): void {
    const me = sphere.state.members.get(this.#deps.own);
    const hasAuthority = me?.state === 'joined' && (me.role === 'owner' || me.role === 'admin');
    if (!hasAuthority || !sphere.state.isEpochDue) return;
    startEpoch(this.#deps, sphere, sphere.state.epochs.length === 0 ? 'start' : 'removal');
  }

  /**
   * Asks who may enter the room; the owner makes of it what the log says of those it knows. It differs after a crash,
   * when somebody left or was removed while the owner was away, or when the server shut a member out.
   */
  async tidyRoom(sphere: Sphere, signal: AbortSignal): Promise<void> {
    const { rooms, own, log } = this.#deps;
    const { room } = sphere.row;
    const { members } = sphere.state;
    try {
      const listed = await rooms.affiliations(room, signal);
      if (members.get(own)?.role !== 'owner') return;
      const admitted = new Set(listed.map(({ jid }) => jid));
      for (const { jid, affiliation } of listed) {
        const state = members.get(jid)?.state;
        if (affiliation !== 'member' || (state !== 'left' && state !== 'removed')) continue;
        await rooms.setAffiliation(room, jid, 'none', signal);
      }
      for (const { jid, state } of members.values()) {
        if ((state !== 'joined' && state !== 'invited') || admitted.has(jid)) continue;
        await rooms.setAffiliation(room, jid, 'member', signal);
        if (state === 'joined') await rooms.invite(room, jid);
      }
    } catch (error) {
      signal.throwIfAborted();
      // The next time we come into the room it is looked at again.
      const isUsual = ['disconnected', 'not-allowed'].includes(errorCode(error));
      log[isUsual ? 'debug' : 'warn']('list of members not compared', { error });
    }
  }
}
