import * as z from 'zod';
import type { Logger } from '../base/log.ts';
import { bareJidSchema } from '../contract/ids.ts';
import type { People } from '../people/people.ts';
import { provenMoves } from '../spheres/proven-moves.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import type { Storage } from '../storage/storage.ts';

interface FollowMovesDeps {
  readonly list: Pick<SphereList, 'all'>;
  readonly people: Pick<People, 'contacts'>;
  readonly storage: Pick<Storage, 'settings' | 'knownDevices'>;
  readonly log: Logger;
}

const SETTING = 'moves-followed';
const schema = z.record(z.string(), bareJidSchema);

/**
 * Members of our spheres who have moved: contact and talk go on where they are now. Each once: whoever asks by the old address
 * later is somebody else.
 */
export async function followMoves(deps: FollowMovesDeps, signal: AbortSignal): Promise<void> {
  const { list, people, storage, log } = deps;
  for (const sphere of list.all()) {
    for (const { person, from, to } of provenMoves(sphere, storage)) {
      const followed = storage.settings.get(SETTING, (value) => schema.parse(value)) ?? {};
      if (person === sphere.person || Object.hasOwn(followed, from)) continue;
      try {
        if (people.contacts.get(from) !== undefined) await people.contacts.follow({ from, to }, signal);
        storage.settings.set(SETTING, { ...followed, [from]: to });
      } catch (error) {
        signal.throwIfAborted();
        // The next session tries it again.
        log.info('a contact who moved is not followed yet', { error });
      }
    }
  }
}
