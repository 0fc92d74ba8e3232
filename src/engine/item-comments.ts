import { AppError } from '../base/errors.ts';
import type { EventId, ItemId } from '../base/id.ts';
import type { Sphere } from '../spheres/sphere.ts';
import { versionsOf } from '../spheres/versions.ts';
import type { MessageRow } from '../storage/message-table.ts';
import type { Storage } from '../storage/storage.ts';

/** The newest; all of them stand in the chat. */
const MAX_COMMENTS = 500;

/** What was said about an item in all of its versions, and the line that another comment answers. */
export function itemComments(
  { messages }: Pick<Storage, 'messages'>,
  sphere: Sphere,
  itemId: ItemId,
): { readonly lineId: EventId; readonly rows: readonly MessageRow[] } {
  const versions = versionsOf(sphere.state.items, itemId).map((id) => id as string as EventId);
  // The line of the first version stands for all.
  const [lineId] = versions;
  if (lineId === undefined) throw new AppError('not-found', 'no such item');
  const rows = versions
    .flatMap((id) => messages.repliesTo(id, MAX_COMMENTS))
    .filter((row) => row.sphereId === sphere.id);
  rows.sort((a, b) => a.place - b.place || a.lamport - b.lamport || a.order - b.order);
  return { lineId, rows: rows.slice(-MAX_COMMENTS) };
}
