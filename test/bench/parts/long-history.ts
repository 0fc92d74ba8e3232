import { join } from 'node:path';
import type { SphereId } from '../../../src/base/id.ts';
import { parseBareJid } from '../../../src/base/id.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { systemClock } from '../../../src/base/system-clock.ts';
import { accountFolder } from '../../../src/engine/account-folder.ts';
import { desktopKeychain } from '../../../src/engine/keychain.ts';
import { openIdentity } from '../../../src/engine/own-identity.ts';
import { locateProfile } from '../../../src/engine/profile.ts';
import { openMasterKey } from '../../../src/engine/secrets.ts';
import { Conversation } from '../../../src/spheres/conversation.ts';
import { SphereList } from '../../../src/spheres/sphere-list.ts';
import { createSecretBox } from '../../../src/storage/secret-box.ts';
import { openStorage } from '../../../src/storage/storage.ts';
import type { Person } from '../../fixtures/engine-world.ts';

/** Lines of one transaction. */
const TOGETHER = 500;

/**
 * Writes lines into the database of a person whose engine is stopped, as if they had been said and had left: signed,
 * in the log, and sealed like any other.
 */
export async function addHistory(
  { profile, jid }: Pick<Person, 'profile' | 'jid'>,
  sphereId: SphereId,
  lines: { readonly count: number; readonly text: (number: number) => string },
): Promise<void> {
  const deps = { clock: systemClock, random: systemRandom, log: silentLogger };
  const { folder, accountsFolder } = locateProfile(profile);
  const signal = AbortSignal.timeout(60_000);
  const { key } = await openMasterKey({ folder, stores: [desktopKeychain(folder)], ...deps }, signal);
  const own = parseBareJid(jid);
  const path = join(accountFolder(accountsFolder, own), 'spherecast.db');
  using storage = openStorage({ path, secretBox: createSecretBox({ masterKey: key, random: systemRandom }), ...deps });
  const { author } = openIdentity(storage.identity, systemRandom);
  const list = new SphereList({ storage, author, own, ...deps });
  const sphere = list.get(sphereId);
  const messages = new Conversation({ list, storage });
  for (let from = 0; from < lines.count; from += TOGETHER) {
    list.together(sphere, () => {
      for (let number = from; number < Math.min(from + TOGETHER, lines.count); number += 1) {
        const id = messages.say(sphereId, lines.text(number));
        for (const row of storage.outbox.byEvent(id)) storage.outbox.remove(row.id);
        storage.messages.update(id, { state: 'sent' });
      }
    });
  }
}
