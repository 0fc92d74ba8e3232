import type { ItemId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import { historyFor } from './history.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

/**
 * Lists what was carried over to a sphere before its old one had the item here, or said that it goes on in this one. `ids`: of
 * all its items, unless some are given.
 */
export function listOpened(
  { list, storage }: { list: SphereList; storage: Storage },
  sphere: Sphere,
  ids: Iterable<ItemId> = sphere.state.items.keys(),
): void {
  const { genesis, items } = sphere.state;
  if (sphere.row.state !== 'joined' || genesis?.policy.history !== 'from-join' || sphere.former === undefined) return;
  const history = historyFor(sphere, sphere.person);
  const opened = [...ids].flatMap((id) => {
    const event = items.get(id)?.event;
    return event !== undefined && history.isOpen(event) && !storage.items.has(id) ? [{ event, attachments: [] }] : [];
  });
  if (opened.length > 0) list.takePast(sphere, opened);
}
