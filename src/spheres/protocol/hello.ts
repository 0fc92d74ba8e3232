import { concatBytes, fromHex, fromUtf8, toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { BareJid, DeviceKey, EventId, PersonId, SphereId } from '../../base/id.ts';
import type { DeviceBody } from './certificate.ts';
import { isCertifiedByPerson } from './certificate.ts';
import type { DeliveredEvent } from './envelope.ts';
import { findAttachment } from './envelope.ts';
import type { Author, KnownEvent, SignedEvent } from './event.ts';
import { buildEvent } from './event.ts';
import { sha256Hex } from './keys.ts';

/** A device as it introduced itself outside any sphere, certified by its person's key. */
export interface Hello {
  readonly person: PersonId;
  readonly device: DeviceKey;
  readonly jid: BareJid;
  readonly omemoDeviceId: number;
  /** 33 bytes in hex. */
  readonly omemoIdentityKey: string;
  /** What its owner calls it; null when that was not told. */
  readonly name: string | null;
  /** What it says beside that, for the person's other devices alone. */
  readonly rest: readonly SignedEvent[];
}

const MAX_NAME = 80;

/** What stands for the sphere in an introduction: no sphere has this id. */
export function helloScope(person: PersonId): SphereId {
  return sha256Hex(concatBytes(toUtf8('spherecast-hello-v1\0'), fromHex(person) ?? new Uint8Array())) as SphereId;
}

/** A `device` event that belongs to no sphere. */
export function buildHello(author: Author, certificate: DeviceBody, wallMs: number): KnownEvent<'device'> {
  return buildEvent(author, helloHeader(author.person, wallMs), 'device', certificate);
}

/** Of an event that belongs to no sphere: none of them has a place behind another one. */
export function helloHeader(person: PersonId, wallMs: number) {
  const sphere = helloScope(person);
  const membership = sphere as string as EventId;
  return { sphere, sequence: 0, previous: null, lamport: 0, wallMs, membership };
}

export interface HelloInput {
  readonly delivered: readonly DeliveredEvent[];
  /** Who sealed the OMEMO message; the identity key has 33 bytes, in hex. */
  readonly sender: { readonly jid: BareJid; readonly omemoIdentityKey: string };
  /** As in `SphereLog`. */
  readonly isDeviceProven: (event: KnownEvent<'device'>) => boolean;
}

/** undefined when it is something else; `forged` when the device is not the person's, or not the one that sent it. */
export function readHello({ delivered, sender, isDeviceProven }: HelloInput): Hello | undefined {
  const [first] = delivered;
  const event = first?.event;
  if (event?.type !== 'device' || event.header.sphere !== helloScope(event.header.person)) return undefined;
  const { person, device, jid, omemoDeviceId, omemoIdentityKey } = event.body;
  const isOwn = event.header.person === person && event.header.device === device;
  const isSenders = jid === sender.jid && omemoIdentityKey === sender.omemoIdentityKey;
  const isCertified = isOwn && isCertifiedByPerson(event.body) && isDeviceProven(event);
  if (jid === null || omemoDeviceId === null || omemoIdentityKey === null || !isSenders || !isCertified) {
    throw new AppError('forged', 'a device introduced itself as another one');
  }
  const name = fromUtf8(findAttachment(first?.attachments ?? [], 'device-name') ?? new Uint8Array());
  const rest = delivered.slice(1).map((one) => one.event);
  return { person, device, jid, omemoDeviceId, omemoIdentityKey, name: readName(name), rest };
}

function readName(text: string | undefined): string | null {
  const name = text?.trim().slice(0, MAX_NAME).toWellFormed() ?? '';
  return name === '' ? null : name;
}
