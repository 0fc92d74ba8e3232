import type { BareJid, DeviceKey, PersonId } from '../base/id.ts';
import { ComparedKeys } from '../people/compared-keys.ts';
import type { KeysOfPerson } from '../people/talk-devices.ts';
import { DeviceChoices } from '../spheres/device-choices.ts';
import { ManualTrust } from '../spheres/manual-trust.ts';
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
 * ever compared there, or ours says nothing.
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
  if (persons.size === 0 && compared.length === 0 && !ManualTrust.isOn(storage, jid)) return null;
  const keys = gather(persons.size === 0 ? [] : certificatesOf(spheres, persons));
  const ended = compared.length === 0 ? new Set<string>() : endedKeys(spheres);
  for (const { identityKey, deviceId } of compared) {
    if (!ended.has(identityKey)) keys.vouched.set(identityKey, deviceId);
  }
  // What the person says of a key themselves stands above what a number vouches for.
  for (const identityKey of DeviceChoices.keysLeftOut(storage, jid)) {
    keys.certified.delete(identityKey);
    keys.vouched.delete(identityKey);
  }
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

/** Of the devices that their persons have ended: whoever has one may have its account too. */
function endedKeys(spheres: readonly Sphere[]): ReadonlySet<string> {
  const ended = new Set(spheres.flatMap(({ state }) => [...state.endedDevices.keys()]));
  const said = ended.size === 0 ? [] : spheres.flatMap(({ log }) => acceptedDevices(log));
  const keys = said.flatMap(({ header, body }) => (ended.has(header.device) ? (body.omemoIdentityKey ?? []) : []));
  return new Set(keys);
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
    acceptedDevices(log).flatMap(({ header, body }) =>
      persons.has(header.person) && !ended.has(header.device) ? [body] : [],
    ),
  );
}

function acceptedDevices(log: Sphere['log']) {
  return log.events().flatMap((event) => {
    return event.type === 'device' && log.verdict(event.id)?.kind === 'accepted' ? [event] : [];
  });
}
