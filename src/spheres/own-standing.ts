import type { Emitter } from '../base/emitter.ts';
import type { BareJid } from '../base/id.ts';
import type { SphereRow } from '../storage/sphere-table.ts';
import type { Storage } from '../storage/storage.ts';
import { finishLeaving } from './finish-leaving.ts';
import type { ItemService } from './item-service.ts';
import type { Rooms } from './rooms.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import { tellLeaders } from './tell-leaders.ts';

interface StandingDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly rooms: Pick<Rooms, 'keepJoined' | 'leave' | 'isRefused' | 'isInside' | 'held'>;
  readonly items: Pick<ItemService, 'stopSphere'>;
  readonly own: BareJid;
  /** An invitation to a sphere that we are in needs no answer any more. */
  readonly onInvitation: Emitter<string>;
}

/** Makes of a sphere on this device what its log says of our membership. What the server says of it ends nothing. */
export async function settleStanding(deps: StandingDeps, sphere: Sphere): Promise<void> {
  const { storage, list, rooms, items, onInvitation } = deps;
  const { state: before, room } = sphere.row;
  const after = standingOf(deps, sphere);
  if (after === before) {
    await finishLeaving(deps, sphere);
    return;
  }
  // Whoever is a member again has it on the list again.
  list.update(sphere, after === 'joined' ? { state: after, hidden: false } : { state: after });
  if (after === 'joined') {
    for (const { id, state } of storage.invitations.bySphere(sphere.id)) {
      if (state !== 'open') continue;
      storage.invitations.update(id, { state: 'accepted' });
      onInvitation.emit(id);
    }
    rooms.keepJoined(room);
    return;
  }
  if (after === 'left' && !rooms.isInside(room)) passOnLeaving(list, sphere);
  // Both begin now: whoever is let in again meanwhile must not lose room and swarm to what ends late.
  await Promise.all([items.stopSphere(sphere), after === 'left' ? finishLeaving(deps, sphere) : rooms.leave(room)]);
}

/** The room may not have it, and the computer that said it may never come back: whoever decides hears it from this one too. */
function passOnLeaving(list: StandingDeps['list'], sphere: Sphere): void {
  const left = sphere.lastWord;
  if (left === undefined || left.header.device === sphere.device) return;
  list.together(sphere, () => tellLeaders(sphere, left));
}

function standingOf({ storage, own }: StandingDeps, sphere: Sphere): SphereRow['state'] {
  const { state } = sphere.row;
  // Whoever has left does not come back by what others say.
  if (state === 'left' && !isBack(sphere, own)) return state;
  // Our person is in it still, by other devices than this one.
  if (sphere.state.endedDevices.has(sphere.device)) return 'removed';
  switch (sphere.placeOf(own)?.state) {
    case 'joined':
      return state === 'removed' || state === 'left' ? 'joined' : state;
    case 'removed':
      return 'removed';
    case 'left':
      return 'left';
    case 'invited': {
      // Asked anew: we were removed in between, and did not hear of it.
      const isAsked = storage.invitations.bySphere(sphere.id).some((invitation) => invitation.state === 'open');
      return isAsked ? 'removed' : state;
    }
    default:
      // What came so far does not tell: the rest is on its way.
      return state;
  }
}

/** By another computer of ours, after the last time that we left. An owner leaves without a word in the log. */
function isBack(sphere: Sphere, own: BareJid): boolean {
  const { log, person } = sphere;
  const me = sphere.placeOf(own);
  if (me?.state !== 'joined' || me.person !== person || me.role === 'owner') return false;
  const ours = log.events().filter(({ type, header, id }) => {
    const isJoin = type === 'join' && log.verdict(id)?.kind === 'accepted';
    return header.person === person && (isJoin || type === 'leave');
  });
  return ours.at(-1)?.type === 'join' && ours.some(({ type }) => type === 'leave');
}
