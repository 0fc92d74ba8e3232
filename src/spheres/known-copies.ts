import type { ItemId, PersonId } from '../base/id.ts';
import type { HeldView } from '../contract/views.ts';
import type { Storage } from '../storage/storage.ts';
import { deletionOf } from './deletion.ts';
import { historyFor } from './history.ts';
import { personOfDevice } from './person-of-device.ts';
import type { Sphere } from './sphere.ts';
import { hasSameBytes, versionsOf } from './versions.ts';

/** Of how many things of a sphere a person is known to have all: what they shared, and what their devices said of themselves. */
export function knownCopies(storage: Pick<Storage, 'holders'>, sphere: Sphere, person: PersonId): HeldView {
  const { items, heads } = sphere.state;
  const devices = [...heads.keys()].filter((device) => personOfDevice(sphere, device) === person);
  const held = new Set<ItemId>(devices.flatMap((device) => storage.holders.itemsOf(device)));
  const history = historyFor(sphere, sphere.person);
  const listed = [...items.values()].filter(
    ({ event, replacedBy }) => replacedBy === null && history.isOpen(event) && deletionOf(sphere, event) === undefined,
  );
  // Under a new key it is the same thing.
  const had = listed.filter(({ id, event }) =>
    versionsOf(items, id).some((version) => {
      const earlier = items.get(version)?.event;
      if (earlier === undefined || !hasSameBytes(earlier, event)) return false;
      return held.has(version) || (earlier.type === 'item' && earlier.header.person === person);
    }),
  );
  return { known: had.length, all: listed.length };
}
