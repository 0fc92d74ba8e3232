import type { BareJid, EventId } from '../base/id.ts';
import type { SignedEvent } from './protocol/event.ts';
import type { Sphere } from './sphere.ts';

/** An entry of a room's archive: who said it, and the event that it names. */
export interface Archived {
  readonly from: BareJid | null;
  readonly event: EventId | null;
}

/** An event that came in another way than the room. */
export interface Suspect {
  readonly event: SignedEvent;
  /** What its device said before and after it came live, while we were in the room without a break. */
  readonly isLive: boolean;
  /** What its device said before it, by the room, and when that came. */
  readonly earlier: SignedEvent;
  readonly sinceMs: number;
}

/**
 * Those that an archive should hold: it has something of the same device before and after, in one piece. What is missing
 * in one stretch alone may have been lost when the server broke down, unless we were there all the time.
 */
export function withheldFrom(
  sphere: Sphere,
  suspects: readonly Suspect[],
  entries: readonly Archived[],
): readonly Suspect[] {
  const places = suspects.flatMap((suspect) => {
    const place = placeOf(sphere, suspect, entries);
    return place === undefined ? [] : [{ ...suspect, ...place }];
  });
  const isApart = (a: Place, b: Place): boolean => a.after <= b.before || b.after <= a.before;
  return places.filter((one) => one.isLive || places.some((other) => isApart(one, other)));
}

interface Place {
  readonly before: number;
  readonly after: number;
}

/** Between which entries it should stand; undefined when it is there, or nobody can tell. */
function placeOf({ log, state, row }: Sphere, { event }: Suspect, entries: readonly Archived[]): Place | undefined {
  const { device, sequence } = event.header;
  const headers = entries.map((entry) => (entry.event === null ? undefined : log.get(entry.event)?.header));
  // What somebody said who was alone in the sphere went to nobody.
  const before = headers.findLastIndex(
    (one) => one?.device === device && one.sequence < sequence && one.lamport > row.joinedLamport,
  );
  const after = headers.findIndex((one) => one?.device === device && one.sequence > sequence);
  if (before === -1 || after < before || entries.some((entry) => entry.event === event.id)) return undefined;
  // What a moderator took away leaves an entry that names nothing.
  const jid = state.devices.get(device)?.jid;
  const mayBeIt = ({ event: id, from }: Archived): boolean => id === null && (from === null || from === jid);
  return entries.slice(before, after).some(mayBeIt) ? undefined : { before, after };
}
