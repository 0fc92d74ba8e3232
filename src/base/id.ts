import { AppError } from './errors.ts';

declare const brand: unique symbol;

/** Text that was checked once: an id of one kind cannot be used as another. */
export type Id<Name extends string> = string & { readonly [brand]: Name };

/** SHA-256 of the sphere's genesis event, 64 hex digits. */
export type SphereId = Id<'sphere'>;
/** SHA-256 of an event's bytes, 64 hex digits. */
export type EventId = Id<'event'>;
/** The id of the event that shared the item. */
export type ItemId = Id<'item'>;
/** Ed25519 public key of a person, 64 hex digits. */
export type PersonId = Id<'person'>;
/** Ed25519 public key of one installation, 64 hex digits. */
export type DeviceKey = Id<'device'>;
/** SHA-1 of a torrent's info dictionary, 40 hex digits. */
export type InfoHash = Id<'info-hash'>;
/** An XMPP address without resource, normalised. */
export type BareJid = Id<'bare-jid'>;

const HEX_64 = /^[0-9a-f]{64}$/;
const HEX_40 = /^[0-9a-f]{40}$/;
// RFC 7622 §3: neither part holds these characters, nor any that control how text runs or cannot be seen.
const UNSEEN = '\\s\\p{Cc}\\p{Bidi_Control}\\u200B';
const BARE_JID = new RegExp(`^[^"&'/:<>@${UNSEEN}]{1,255}@[^"&'/<>@${UNSEEN}]{1,255}$`, 'u');

function parse<Name extends string>(pattern: RegExp, kind: Name, text: string): Id<Name> {
  if (!pattern.test(text)) throw new AppError('bad-input', `not a valid ${kind}`, { kind, length: text.length });
  return text as Id<Name>;
}

export const parseSphereId = (text: string): SphereId => parse(HEX_64, 'sphere', text);
export const parseEventId = (text: string): EventId => parse(HEX_64, 'event', text);
export const parseItemId = (text: string): ItemId => parse(HEX_64, 'item', text);
export const parsePersonId = (text: string): PersonId => parse(HEX_64, 'person', text);
export const parseDeviceKey = (text: string): DeviceKey => parse(HEX_64, 'device', text);
export const parseInfoHash = (text: string): InfoHash => parse(HEX_40, 'info-hash', text);

/** Lower-cased and NFC: enough for comparing the addresses that real servers hand out. */
export function parseBareJid(text: string): BareJid {
  return parse(BARE_JID, 'bare-jid', text.trim().normalize('NFC').toLowerCase());
}
