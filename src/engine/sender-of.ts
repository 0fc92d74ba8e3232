import type { BareJid } from '../base/id.ts';
import type { Sphere } from '../spheres/sphere.ts';
import type { MessageRow } from '../storage/message-table.ts';

/** Whose line it is, by the address that they have now. */
export function senderOf(sphere: Sphere | undefined, row: Pick<MessageRow, 'id' | 'from'>): BareJid {
  const event = sphere?.log.get(row.id);
  const now = event === undefined ? undefined : sphere?.jidOf(event.header.person);
  return now ?? sphere?.state.moved.get(row.from) ?? row.from;
}
