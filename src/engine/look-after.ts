import type { Clock } from '../base/clock.ts';
import type { BareJid, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { People } from '../people/people.ts';
import type { Caretaker } from '../spheres/caretaker.ts';
import { erasedBefore } from '../spheres/erased-before.ts';
import { eraseRetracted } from '../spheres/erase-retracted.ts';
import { finishLeaving } from '../spheres/finish-leaving.ts';
import { eraseDeleted, isUseless } from '../spheres/item-deletion.ts';
import type { ItemService } from '../spheres/item-service.ts';
import type { LogExchange } from '../spheres/log-exchange.ts';
import { NewOwner } from '../spheres/new-owner.ts';
import type { OwnDevices } from '../spheres/own-devices.ts';
import type { Relocation } from '../spheres/relocation.ts';
import type { Rooms } from '../spheres/rooms.ts';
import type { Sphere } from '../spheres/sphere.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import type { Storage } from '../storage/storage.ts';
import { offerMoves } from './offer-moves.ts';

interface LookAfterDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly rooms: Pick<Rooms, 'isInside' | 'isCaughtUp' | 'isRefused' | 'isGone' | 'held' | 'leave'>;
  readonly logs: Pick<LogExchange, 'isComplete' | 'isExhausted'>;
  readonly items: Pick<ItemService, 'row' | 'remove'>;
  readonly caretaker: Pick<Caretaker, 'tidyRoom'>;
  readonly devices: Pick<OwnDevices, 'endGone'>;
  readonly relocation: Pick<Relocation, 'lookAt'>;
  readonly people: Pick<People, 'contacts'>;
  readonly own: BareJid;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A server may shut a member out without telling anybody who is there. */
const LOOK_AGAIN_MS = 3_600_000;
/** By then whoever is there has told what we missed. */
const FIRST_LOOK_MS = 120_000;

/** What time changes, and what a server may do without telling anybody. */
export async function lookAfter(deps: LookAfterDeps, signal: AbortSignal): Promise<void> {
  const { clock, log, list } = deps;
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      signal.throwIfAborted();
      log.warn('not everything was looked after', { error });
    }
  };
  for (let waitMs = FIRST_LOOK_MS; ; waitMs = LOOK_AGAIN_MS) {
    await clock.sleep(waitMs, signal);
    await attempt(() => forgetDeleted(deps, signal));
    await attempt(() => offerMoves(deps, signal));
    for (const sphere of list.all()) await attempt(() => lookAtSphere(deps, sphere, signal));
  }
}

async function lookAtSphere(deps: LookAfterDeps, sphere: Sphere, signal: AbortSignal): Promise<void> {
  const { rooms, caretaker } = deps;
  eraseRetracted(deps, sphere, erasedBefore(deps, sphere));
  deps.devices.endGone(sphere);
  new NewOwner(deps).settle(sphere);
  await finishLeaving(deps, sphere);
  await deps.relocation.lookAt(sphere, signal);
  if (rooms.isInside(sphere.row.room)) await caretaker.tidyRoom(sphere, signal);
}

/** A file that never became whole goes too; everything else on the disk is the person's. */
async function forgetDeleted(deps: LookAfterDeps, signal: AbortSignal): Promise<void> {
  const { items, list, log } = deps;
  const beforeIn = (sphereId: SphereId): number => {
    const sphere = list.find(sphereId);
    return sphere === undefined ? Infinity : erasedBefore(deps, sphere);
  };
  for (const itemId of eraseDeleted(deps, beforeIn)) {
    try {
      const row = items.row(itemId);
      const event = list.find(row.sphereId)?.state.items.get(itemId)?.event;
      if (event === undefined || !isUseless(row, event)) continue;
      await items.remove(itemId, 'forget', signal);
    } catch (error) {
      signal.throwIfAborted();
      log.warn('what had come of a deleted item stays', { error });
    }
  }
}
