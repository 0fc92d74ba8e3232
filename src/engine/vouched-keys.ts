import type { BareJid, DeviceKey, PersonId } from '../base/id.ts';
import { ComparedKeys } from '../people/compared-keys.ts';
import type { KeysOfPerson } from '../people/talk-devices.ts';
import type { Sphere } from '../spheres/sphere.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import type { Storage } from '../storage/storage.ts';

interface VouchedKeysDeps {
  readonly storage: Pick<Storage, 'ownDevices' | 'verified' | 'settings'>;
  readonly list: Pick<SphereList, 'all'>;
  readonly own: BareJid;
  /** Our own. */
  readonly person: PersonId;
}

interface Certificate {
  readonly omemoDeviceId: number | null;
  readonly omemoIdentityKey: string | null;
  readonly vouched: readonly { readonly deviceId: number; readonly identityKey: string }[];
}

/**
 * The OMEMO keys that the person at an account certified or vouched for, and those compared one by one; null while nothing was
 * compared there, or ours says nothing.
 */
export function vouchedKeys(deps: VouchedKeysDeps, jid: BareJid): KeysOfPerson | null {
  const { storage, own, person } = deps;
  const spheres = deps.list.all();
  if (jid === own) {
    const rows = storage.ownDevices.list();
    const certificates = certificatesOf(spheres, new Set([person]));
    // The first certificate vouches for everything that is there.
    if (certificates.length === 0) return null;
    const keys = gather(certificates);
    for (const { omemoDeviceId, omemoIdentityKey } of rows) keys.certified.set(omemoIdentityKey, omemoDeviceId);
    for (const { omemoIdentityKey } of rows) keys.vouched.delete(omemoIdentityKey);
    for (const row of rows) if (row.state === 'ended') keys.certified.delete(row.omemoIdentityKey);
    return keys;
  }
  const persons = new Set(storage.verified.at(jid));
  for (const { state } of spheres) {
    const member = state.members.get(jid);
    if (member?.state === 'joined' && member.person !== null && storage.verified.has(member.person)) {
      persons.add(member.person);
    }
  }
  const compared = ComparedKeys.list(storage, jid);
  if (persons.size === 0 && compared.length === 0) return null;
  const keys = gather(persons.size === 0 ? [] : certificatesOf(spheres, persons));
  for (const { identityKey, deviceId } of compared) keys.vouched.set(identityKey, deviceId);
  return keys;
}

function gather(certificates: readonly Certificate[]) {
  const certified = new Map<string, number>();
  const vouched = new Map<string, number>();
  for (const { omemoDeviceId, omemoIdentityKey, vouched: others } of certificates) {
    if (omemoDeviceId !== null && omemoIdentityKey !== null) certified.set(omemoIdentityKey, omemoDeviceId);
    for (const { deviceId, identityKey } of others) vouched.set(identityKey, deviceId);
  }
  return { certified, vouched };
}

function certificatesOf(spheres: readonly Sphere[], persons: ReadonlySet<PersonId>): Certificate[] {
  // What one sphere says to be gone counts nowhere.
  const ended = new Set(spheres.flatMap(({ state }) => [...state.endedDevices.keys()]));
  const joined = spheres.filter(({ row }) => row.state === 'joined');
  const devices = joined.flatMap(({ state }) => [...state.devices.values()]);
  const current = devices.filter(({ person, device }) => persons.has(person) && !ended.has(device));
  return current.length > 0 ? current : formerCertificates(spheres, persons, ended);
}

/** Whom we meet in no sphere any more is known by what they said in those of before. */
function formerCertificates(
  spheres: readonly Sphere[],
  persons: ReadonlySet<PersonId>,
  ended: ReadonlySet<DeviceKey>,
): Certificate[] {
  return spheres.flatMap(({ log }) =>
    log.events().flatMap((event) => {
      if (event.type !== 'device' || !persons.has(event.header.person) || ended.has(event.header.device)) return [];
      return log.verdict(event.id)?.kind === 'accepted' ? [event.body] : [];
    }),
  );
}
