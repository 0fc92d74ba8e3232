import type { BareJid } from '../base/id.ts';
import { SerialQueue } from '../base/queue.ts';
import type { RoomPort } from './room-port.ts';

/** A room of ours, and how far it was read. */
export interface Kept {
  readonly room: RoomPort;
  /** One message after the other: their order is the archive's. */
  readonly queue: SerialQueue;
  /** Jobs in the queue. */
  waiting: number;
  /** False while something before the newest message may be missing: then the cursor stays where it is. */
  isCaughtUp: boolean;
  /** The archive was read since we came in, or cannot be. */
  isLookedThrough: boolean;
  /** Something is to be read again that came while the archive was still read, whose answer may be from before it was said. */
  isMissing: boolean;
  present: ReadonlySet<string>;
  /** Everybody the room lets in, as far as it told us. */
  listed: ReadonlySet<BareJid>;
}

/** One of which nothing was read yet. */
export function keepRoom(room: RoomPort): Kept {
  const unread = { isCaughtUp: false, isLookedThrough: false, isMissing: false };
  return { room, queue: new SerialQueue(), waiting: 0, ...unread, present: new Set(), listed: new Set() };
}
