import { join } from 'node:path';
import { parseBareJid } from '../../../src/base/id.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { systemRandom } from '../../../src/base/random.ts';
import { systemClock } from '../../../src/base/system-clock.ts';
import { accountFolder } from '../../../src/engine/account-folder.ts';
import { desktopKeychain } from '../../../src/engine/keychain.ts';
import { openIdentity } from '../../../src/engine/own-identity.ts';
import { locateProfile } from '../../../src/engine/profile.ts';
import { openMasterKey } from '../../../src/engine/secrets.ts';
import { SphereList } from '../../../src/spheres/sphere-list.ts';
import { createSecretBox } from '../../../src/storage/secret-box.ts';
import type { Storage } from '../../../src/storage/storage.ts';
import { openStorage } from '../../../src/storage/storage.ts';
import type { Person } from '../../fixtures/engine-world.ts';

/** What a person whose engine is stopped has in the database. */
export interface StoppedPerson extends Disposable {
  readonly storage: Storage;
  readonly list: SphereList;
}

export async function openStopped({ profile, jid }: Pick<Person, 'profile' | 'jid'>): Promise<StoppedPerson> {
  const deps = { clock: systemClock, random: systemRandom, log: silentLogger };
  const { folder, accountsFolder } = locateProfile(profile);
  const signal = AbortSignal.timeout(60_000);
  const { key } = await openMasterKey({ folder, stores: [desktopKeychain(folder)], ...deps }, signal);
  const own = parseBareJid(jid);
  const path = join(accountFolder(accountsFolder, own), 'spherecast.db');
  const storage = openStorage({ path, secretBox: createSecretBox({ masterKey: key, random: systemRandom }), ...deps });
  const { author } = openIdentity(storage.identity, systemRandom);
  const list = new SphereList({ storage, author, own, ...deps });
  return { storage, list, [Symbol.dispose]: () => storage[Symbol.dispose]() };
}
