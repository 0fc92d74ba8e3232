import type { EpochKeys } from '../contract/swarm.ts';
import type { Sphere } from '../spheres/sphere.ts';

/** Peers of an epoch that was replaced a moment ago may still be on their way in. */
const ACCEPTED_EPOCHS = 2;

/**
 * What members find each other by and open to each other with, the newest epoch first. Whoever was removed holds what
 * came before: that still opens to devices on the list, but nobody is found by it.
 */
export function swarmKeys({ epochs, state }: Pick<Sphere, 'epochs' | 'state'>): EpochKeys[] {
  const [newest, ...rest] = epochs.slice(0, ACCEPTED_EPOCHS);
  if (newest === undefined) return [];
  const isAfterRemoval = state.epochs.find(({ id }) => id === newest.eventId)?.reason === 'removal';
  return [newest, ...rest].map(({ secrets }) => {
    const { tracker, lan } = isAfterRemoval ? newest.secrets : secrets;
    return { admission: secrets.admission, tracker, lan };
  });
}
