import type { BareJid, EventId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import type { SphereChange } from './effects.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import { tellLeaders } from './tell-leaders.ts';

interface LeavingDeps {
  readonly storage: Storage;
  readonly list: Pick<SphereList, 'together' | 'announce'>;
  readonly rooms: {
    isRefused(room: BareJid): boolean;
    readonly held: ReadonlySet<BareJid>;
    leave(room: BareJid): Promise<void>;
  };
  readonly own: BareJid;
}

/**
 * Of a sphere that we left: once its room has heard so, it is left too. Where it does not let us in to say it, does not take it
 * (`isDeaf`), or is away for too long, whoever decides in the sphere is told instead, and passes it on.
 */
export async function finishLeaving(deps: LeavingDeps, sphere: Sphere, isDeaf = false): Promise<void> {
  const { list, rooms } = deps;
  const { state, room } = sphere.row;
  if (state !== 'left' || (sphere.wantsRoom && !rooms.isRefused(room) && !isDeaf)) return;
  const unsent = list.together(sphere, () => {
    const left = sphere.lastWord;
    if (left !== undefined && sphere.owesRoom(left)) tellLeaders(sphere, left);
    return stopSending(deps, sphere);
  });
  if (unsent.length > 0) list.announce(sphere, unsent);
  // Somebody may be coming back just now.
  if (!rooms.held.has(room)) await rooms.leave(room);
}

/** Whoever is told alone that we left still hears it; lines that did not leave are told so to their author. */
function stopSending({ storage: { outbox, messages, events }, own }: LeavingDeps, sphere: Sphere): SphereChange[] {
  const unsent = new Set<EventId>();
  const left = sphere.lastWord?.id;
  for (const { id, sphereId, to, eventId } of outbox.queued()) {
    const isLastWord = eventId === left && to !== sphere.row.room;
    if (sphereId !== sphere.id || to === own || isLastWord) continue;
    // Of a long text a part may be all that is left to send.
    const line = events.lineOf(eventId);
    if (outbox.get(id)?.line !== null && (unsent.has(line) || messages.get(line)?.state === 'queued')) {
      outbox.update(id, { state: 'failed' });
      messages.update(line, { state: 'failed', failure: 'not-a-member' });
      unsent.add(line);
    } else outbox.remove(id);
  }
  return Array.from(unsent, (id) => ({ kind: 'message', id }));
}
