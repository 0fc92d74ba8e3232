import { fromHex, toHex } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { BareJid, DeviceKey, PersonId } from '../../base/id.ts';
import { encodeCanonical } from './canonical-json.ts';
import type { EventBodies } from './event-body.ts';
import type { PersonSigningKey } from './keys.ts';
import { isSignedBy, signFor } from './keys.ts';

/** What a person key says of one of its devices, the same in every sphere. */
export interface DeviceCertificate {
  readonly person: PersonId;
  readonly device: DeviceKey;
  readonly account: DeviceAccount | null;
}

export interface DeviceAccount {
  readonly jid: BareJid;
  readonly omemoDeviceId: number;
  /** 33 bytes, 0x05 first. */
  readonly omemoIdentityKey: Uint8Array;
}

export interface VouchedDevice {
  readonly deviceId: number;
  readonly identityKey: Uint8Array;
}

export type DeviceBody = EventBodies['device'];

/** Puts the domain 'spherecast-device-v1\0' in front of `bytes` and signs with the OMEMO identity key (XEdDSA), 64 bytes. */
export type IdentitySigner = (bytes: Uint8Array) => Uint8Array;
/** Tells whether `signature` is what an `IdentitySigner` of that OMEMO identity key gives for `bytes`. */
export type IdentityVerifier = (identityKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array) => boolean;

/** The bytes that both the person key and the OMEMO identity key sign, each under its own domain. */
export function certificateBytes(certificate: DeviceCertificate): Uint8Array<ArrayBuffer> {
  const { person, device, account } = certificate;
  return encodeCanonical({
    v: 1,
    person,
    device,
    jid: account?.jid ?? null,
    omemoDeviceId: account?.omemoDeviceId ?? null,
    omemoIdentityKey: account === null ? null : toHex(account.omemoIdentityKey),
  });
}

/** The body of a `device` event. */
export function certifyDevice(
  input: { readonly person: PersonSigningKey; readonly device: DeviceKey; readonly vouched: readonly VouchedDevice[] },
  account: (DeviceAccount & { readonly sign: IdentitySigner }) | null,
): DeviceBody {
  const bytes = certificateBytes({ person: input.person.id, device: input.device, account });
  return {
    person: input.person.id,
    device: input.device,
    jid: account?.jid ?? null,
    omemoDeviceId: account?.omemoDeviceId ?? null,
    omemoIdentityKey: account === null ? null : toHex(account.omemoIdentityKey),
    personSignature: toHex(signFor('person', input.person, bytes)),
    identitySignature: account === null ? null : toHex(account.sign(bytes)),
    vouched: input.vouched.map((device) => ({ deviceId: device.deviceId, identityKey: toHex(device.identityKey) })),
  };
}

export function certificateOf(body: DeviceBody): DeviceCertificate {
  const account =
    body.jid === null || body.omemoDeviceId === null || body.omemoIdentityKey === null
      ? null
      : { jid: body.jid, omemoDeviceId: body.omemoDeviceId, omemoIdentityKey: bytesOf(body.omemoIdentityKey) };
  return { person: body.person, device: body.device, account };
}

/** True when the person key signed the certificate. */
export function isCertifiedByPerson(body: DeviceBody): boolean {
  const bytes = certificateBytes(certificateOf(body));
  return isSignedBy('person', body.person, bytes, bytesOf(body.personSignature));
}

/** True when the certificate names no account, or the OMEMO identity key it names signed it too. */
export function isProvenByIdentity(body: DeviceBody, verify: IdentityVerifier): boolean {
  const certificate = certificateOf(body);
  if (certificate.account === null) return true;
  if (body.identitySignature === null) return false;
  return verify(certificate.account.omemoIdentityKey, certificateBytes(certificate), bytesOf(body.identitySignature));
}

function bytesOf(hex: string): Uint8Array {
  const bytes = fromHex(hex);
  if (bytes === undefined) throw new AppError('internal', 'a checked field is not hex');
  return bytes;
}
