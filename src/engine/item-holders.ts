import type { PersonId } from '../base/id.ts';
import type { HolderView } from '../contract/views.ts';
import type { ItemService } from '../spheres/item-service.ts';
import type { ItemEvent } from '../spheres/protocol/event.ts';
import type { Rooms } from '../spheres/rooms.ts';
import type { Sphere } from '../spheres/sphere.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { PeopleNames } from './people-names.ts';

interface ItemHoldersDeps {
  readonly items: Pick<ItemService, 'holders' | 'heard'>;
  readonly rooms: Pick<Rooms, 'present'>;
  readonly names: Pick<PeopleNames, 'of'>;
}

/**
 * How much of an item each member is known to have, whoever has most of it first. What somebody else has is what a
 * device of theirs said when it was connected, or that it shared the item.
 */
export function itemHolders(deps: ItemHoldersDeps, sphere: Sphere, row: ItemRow, event: ItemEvent) {
  const { devices, members } = sphere.state;
  const { bytes } = event.body;
  const known = new Map<PersonId, number>();
  const note = (device: Parameters<typeof devices.get>[0], has: number): void => {
    const person = devices.get(device)?.person;
    if (person !== undefined) known.set(person, Math.max(known.get(person) ?? 0, Math.min(has, bytes)));
  };
  for (const [device, has] of deps.items.heard(row.infoHash)) note(device, has);
  const sharer = event.type === 'item' ? [event.header.device] : [];
  for (const device of [...deps.items.holders(row.itemId), ...sharer]) note(device, bytes);
  const present = new Set([...deps.rooms.present(sphere.row.room)].map((full) => full.split('/', 1)[0]));
  const joined = [...members.values()].filter(({ state }) => state === 'joined');
  const holders = joined.map(({ jid, person }): HolderView => {
    const isMe = person === sphere.person;
    const bytesHave = isMe ? Math.min(row.bytesHave, bytes) : person === null ? null : (known.get(person) ?? null);
    return { jid, name: deps.names.of(jid), isMe, online: isMe || present.has(jid), bytesHave };
  });
  return holders.toSorted((a, b) => Number(b.isMe) - Number(a.isMe) || (b.bytesHave ?? -1) - (a.bytesHave ?? -1));
}
