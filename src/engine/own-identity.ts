import { AppError } from '../base/errors.ts';
import type { DeviceKey, SphereId } from '../base/id.ts';
import type { RandomBytes } from '../base/random.ts';
import type { Author } from '../spheres/protocol/event.ts';
import type { DeviceSigningKey, PersonSigningKey } from '../spheres/protocol/keys.ts';
import { exportPkcs8, generateSigningKey, signingKeyFromPkcs8 } from '../spheres/protocol/keys.ts';
import type { RecoveryKit } from '../spheres/protocol/recovery-kit.ts';
import { RECOVERY_KEY_BYTES } from '../spheres/protocol/recovery-kit.ts';
import { SingleRun } from '../spheres/single-run.ts';
import type { IdentityTable } from '../storage/identity-table.ts';
import type { Storage } from '../storage/storage.ts';

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
  if (row === undefined) put(table, { person, device, recoveryKey: null });
  return { person, device, author: { person: person.id, device } };
}

/**
 * Makes this installation a device of the kit's person: always a new one, whose keys nobody else has. `conflict` when
 * somebody else has spheres here already; false when it is that person's device already.
 */
export function becomePerson(
  storage: Pick<Storage, 'identity' | 'spheres'>,
  kit: RecoveryKit,
  random: RandomBytes,
): boolean {
  const { identity: table, spheres } = storage;
  const { person, recoveryKey } = kit;
  const row = table.get();
  if (row?.person === person.id) {
    table.put({ ...row, recoveryKey });
    return false;
  }
  if (spheres.list().length > 0) throw new AppError('conflict', 'somebody else has spheres on this device');
  put(table, { person, device: generateSigningKey(random), recoveryKey });
  return true;
}

/**
 * Makes this installation a new device of the same person: another copy of the profile goes on as the one it was. All
 * that is kept here stays, but for what only that device can use.
 */
export function becomeNewDevice(storage: Storage, random: RandomBytes): void {
  const { identity: table, omemo, ownDevices, outbox } = storage;
  const row = table.get();
  if (row === undefined) throw new AppError('no-account', 'there is no identity yet');
  const person: PersonSigningKey = signingKeyFromPkcs8(row.personPrivateKey);
  storage.transaction(() => {
    ownDevices.update(row.device, { state: 'known' });
    // What the other one says of itself outside spheres counts from nobody else.
    for (const { id, sphereId } of outbox.queued()) if (sphereId === null) outbox.remove(id);
    for (const { id } of storage.spheres.list()) forgetUnsentMarks(storage, id, row.device);
    omemo.forgetOwn();
    SingleRun.forget(storage);
    put(table, { person, device: generateSigningKey(random), recoveryKey: row.recoveryKey });
  });
}

/** Where this computer has read to it notes by itself at each start, in the same places as the other copy does. */
function forgetUnsentMarks({ events, outbox }: Storage, sphereId: SphereId, device: DeviceKey): void {
  const own = events.list(sphereId).filter((event) => event.device === device);
  for (const { id, type } of own.toSorted((a, b) => b.sequence - a.sequence)) {
    const unsent = outbox.byEvent(id);
    if (type !== 'read' || unsent.length === 0) return;
    for (const row of unsent) outbox.remove(row.id);
    events.remove(id);
  }
}

/** The key that opens this person's snapshots; made when it is first asked for. */
export function recoveryKeyOf(table: IdentityTable, random: RandomBytes): Uint8Array {
  const row = table.get();
  if (row === undefined) throw new AppError('no-account', 'there is no identity yet');
  if (row.recoveryKey !== null) return row.recoveryKey;
  const recoveryKey = random(RECOVERY_KEY_BYTES);
  table.put({ ...row, recoveryKey });
  return recoveryKey;
}

function put(
  table: IdentityTable,
  { person, device, recoveryKey }: Pick<OwnIdentity, 'person' | 'device'> & { readonly recoveryKey: Uint8Array | null },
): void {
  table.put({
    person: person.id,
    personPrivateKey: exportPkcs8(person),
    device: device.id,
    devicePrivateKey: exportPkcs8(device),
    recoveryKey,
  });
}
