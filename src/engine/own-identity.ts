import type { RandomBytes } from '../base/random.ts';
import type { Author } from '../spheres/protocol/event.ts';
import type { DeviceSigningKey, PersonSigningKey } from '../spheres/protocol/keys.ts';
import { exportPkcs8, generateSigningKey, signingKeyFromPkcs8 } from '../spheres/protocol/keys.ts';
import type { IdentityTable } from '../storage/identity-table.ts';

/** Our person and this installation, with their private keys. */
export interface OwnIdentity {
  readonly person: PersonSigningKey;
  readonly device: DeviceSigningKey;
  readonly author: Author;
}

/** The identity of this account here; made on the first sign-in. */
export function openIdentity(table: IdentityTable, random: RandomBytes): OwnIdentity {
  const row = table.get();
  const person: PersonSigningKey =
    row === undefined ? generateSigningKey(random) : signingKeyFromPkcs8(row.personPrivateKey);
  const device: DeviceSigningKey =
    row === undefined ? generateSigningKey(random) : signingKeyFromPkcs8(row.devicePrivateKey);
  if (row === undefined) {
    table.put({
      person: person.id,
      personPrivateKey: exportPkcs8(person),
      device: device.id,
      devicePrivateKey: exportPkcs8(device),
    });
  }
  return { person, device, author: { person: person.id, device } };
}
