import * as z from 'zod';
import { MAX_PARTS } from '../../base/cut-text.ts';
import type { BareJid, DeviceKey, EventId, InfoHash, PersonId, SphereId } from '../../base/id.ts';
import { parseBareJid } from '../../base/id.ts';
import { MAX_METAINFO_BYTES } from '../../torrent/metainfo.ts';
import { MAX_PUBLIC_FILES } from '../../torrent/public-metainfo.ts';
import { MAX_MANIFEST_FILES } from './manifest.ts';

/**
 * Bodies of the events this version understands. Fields it does not know are ignored, so a field may be added
 * later only when a reader without it still does the right thing; everything else becomes a new type.
 */

const hex = <T extends string>(digits: number) =>
  z
    .string()
    .regex(new RegExp(`^[0-9a-f]{${digits}}$`))
    .transform((text) => text as T);
const count = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const sha256 = hex<string>(64);
const signature = hex<string>(128);
const eventId = hex<EventId>(64);
const personId = hex<PersonId>(64);
const deviceKey = hex<DeviceKey>(64);
/** 33 bytes, 0x05 first: an X25519 key as OMEMO 0.3 publishes it. */
const identityKey = z.string().regex(/^05[0-9a-f]{64}$/);
const omemoDeviceId = z.number().int().min(1).max(2_147_483_647);

/** One account has one spelling, else one person could be two members. */
const jid = z.string().transform((text, context): BareJid => {
  try {
    const parsed = parseBareJid(text);
    if (parsed === text) return parsed;
  } catch {
    // Told as an issue of the schema below, like a second spelling.
  }
  context.addIssue({ code: 'custom', message: 'not a normalised bare address' });
  return z.NEVER;
});
const name = z.string().min(1).max(200);

export const roleSchema = z.enum(['owner', 'admin', 'member', 'viewer']);
export type SphereRole = z.infer<typeof roleSchema>;

/** The last event of a device that is still accepted; what lies beyond is refused whenever it arrives. */
const lastAccepted = z.array(z.object({ device: deviceKey, sequence: count, hash: eventId })).max(32);

const genesis = z.object({
  name,
  room: jid,
  /** The account the owner acts from; the owner is whoever holds the author's person key. */
  ownerJid: jid,
  /** Makes the id of every sphere unique, even of two with one name made by one device. */
  nonce: hex<string>(32),
  policy: z.object({
    /** What a new member gets to see: everything, or what is shared after joining. */
    history: z.enum(['all', 'from-join']),
  }),
  /** The only other account that the sphere is for; a reader that does not know it shows the sphere like any other. */
  partner: jid.optional(),
});

/** Authored by the device it certifies. An account may be absent: then the four account fields are null together. */
const device = z
  .object({
    person: personId,
    device: deviceKey,
    jid: jid.nullable(),
    omemoDeviceId: omemoDeviceId.nullable(),
    omemoIdentityKey: identityKey.nullable(),
    personSignature: signature,
    identitySignature: signature.nullable(),
    /** Ordinary OMEMO devices of the same account that may get human lines. */
    vouched: z.array(z.object({ deviceId: omemoDeviceId, identityKey })).max(16),
  })
  .refine((body) => {
    const account = [body.jid, body.omemoDeviceId, body.omemoIdentityKey, body.identitySignature];
    return account.every((field) => field === null) || account.every((field) => field !== null);
  });

/** Said by another device of the same person: what the ended one says beyond its last accepted event counts no more. */
const deviceEnd = z.object({
  device: deviceKey,
  /** null = nothing of it is known. */
  last: z.object({ sequence: count, hash: eventId }).nullable(),
});

const invite = z.object({
  jid,
  role: z.enum(['admin', 'member', 'viewer']),
  /** Public half of the key whose secret travels in the sealed 1:1 invitation only. */
  key: hex<string>(64),
});
const answer = z.object({ invite: eventId, proof: signature });
const leave = z.object({});
const remove = z.object({ jid, person: personId.nullable(), lastAccepted });
const role = z.object({ jid, role: z.enum(['admin', 'member', 'viewer']), lastAccepted });
/** The author has another account from now on, at which their device is certified. */
const moved = z.object({ from: jid, to: jid });
/** The owner offers the sphere to a member; null takes the offer back. */
const handover = z.object({ person: personId.nullable() });
/** Whoever it was offered to takes it. `lastAccepted` is of the owner until then. */
const accept = z.object({ handover: eventId, lastAccepted });
/** An admin says who is to own the sphere, because its owner is gone for good. */
const succession = z.object({ person: personId });
/** Whom a majority of admins named takes it, seven days later. */
const succeed = z.object({ votes: z.array(eventId).min(1).max(50), lastAccepted });
/** The owner is not gone. */
const object = z.object({ votes: z.array(eventId).min(1).max(50) });
const epoch = z.object({ number: count, commitment: sha256, reason: z.enum(['start', 'removal', 'renewal']) });

/** The item of another sphere that this one was carried over from, and when it was shared there. */
const origin = z.object({ sphere: hex<SphereId>(64), item: eventId, wallMs: count });

const item = z
  .object({
    name,
    infoHash: hex<InfoHash>(40),
    /** Of the files alone, without manifest and padding. */
    bytes: count,
    fileCount: z.number().int().min(1).max(MAX_MANIFEST_FILES),
    pieceLength: z.number().int().min(16_384).max(67_108_864),
    metainfoBytes: z.number().int().min(1).max(MAX_METAINFO_BYTES),
    metainfoSha256: sha256,
    /** Place in the torrent's byte space; offset null = only beside the event. */
    manifest: z.object({ offset: count.nullable(), length: count, sha256 }),
    /** true = not encrypted, so that whoever watches the network can read it; then there is no key. */
    plain: z.boolean(),
    keyCheck: sha256.nullable(),
    /** The epoch event under whose key the media key is wrapped. */
    epoch: eventId.nullable(),
    media: z.object({
      kind: z.enum(['video', 'audio', 'image', 'pdf', 'folder', 'other']),
      type: z.string().max(100),
      width: count.nullable(),
      height: count.nullable(),
      durationMs: count.nullable(),
    }),
    /** base64 */
    thumbhash: z
      .string()
      .regex(/^[A-Za-z0-9+/]{4,44}={0,2}$/)
      .nullable(),
    previewSha256: sha256.nullable(),
    /** The item this one is a new version of. */
    replaces: eventId.nullable(),
    /** The item of somebody else that this one is an edited copy of; both stand on the list. */
    basedOn: eventId.optional(),
    origin: origin.optional(),
  })
  .refine((body) => body.plain === (body.keyCheck === null) && body.plain === (body.epoch === null));

/**
 * A .torrent file from elsewhere, passed on as it is. Read as an item without a key, which nothing of the sphere carries:
 * strangers have its bytes.
 */
const torrent = z
  .object({
    name,
    infoHash: hex<InfoHash>(40),
    /** Of the files alone, without padding. */
    bytes: count,
    fileCount: z.number().int().min(1).max(MAX_PUBLIC_FILES),
    pieceLength: z.number().int().min(16_384).max(67_108_864),
    metainfoBytes: z.number().int().min(1).max(MAX_METAINFO_BYTES),
    metainfoSha256: sha256,
    root: z.enum(['file', 'folder']),
    origin: origin.optional(),
  })
  .transform(({ root, ...body }): z.output<typeof item> => ({
    ...body,
    manifest: { offset: null, length: 0, sha256: '' },
    plain: true,
    keyCheck: null,
    epoch: null,
    media: { kind: kindOf(root), type: 'application/octet-stream', width: null, height: null, durationMs: null },
    thumbhash: null,
    previewSha256: null,
    replaces: null,
  }));

/** How many `part` events right before it begin its text; left out: it is all of it. */
const parts = z.number().int().min(1).max(MAX_PARTS).optional();

const message = z.object({
  textSha256: sha256,
  parts,
  /** A message that is answered, or an item that is commented on. */
  replyTo: eventId.nullable(),
  /** People the text speaks to; a reader that does not know it merely does not point that out. */
  mentions: z.array(personId).min(1).max(16).optional(),
});
/** A piece of the text that a message or an edit of the same device ends. */
const part = z.object({ textSha256: sha256 });
const rename = z.object({ name });
/** Of a sphere: it goes to every member in one stanza, behind which all others wait. */
export const MAX_PICTURE_BYTES = 24 * 1024;
/** What the sphere looks like from now on; null = like nothing any more. */
const picture = z
  .object({ sha256: sha256.nullable(), bytes: count.max(MAX_PICTURE_BYTES) })
  .refine((body) => (body.sha256 === null) === (body.bytes === 0));
/** The sphere is in another room from now on. `number` is one above that of the room event in force, 1 for the first. */
const room = z.object({ room: jid, number: count.min(1) });

/** Everything of these devices up to these numbers was on the person's screen; what was said before stays said. */
const read = z.object({
  marks: z.array(z.object({ device: deviceKey, sequence: count })).max(64),
  /** The newest line of an ordinary XMPP program that was on it. */
  line: eventId.optional(),
});
/** All that the person has to say to it in signs; a later one takes the place of this one. */
const reaction = z.object({ target: eventId, signs: z.array(z.string().min(1).max(32)).max(8) });
/** Another text for a message of the same person. */
const edit = z.object({ target: eventId, textSha256: sha256, parts });
/** Takes a message off everybody's screen, or puts it back. */
const retract = z.object({ target: eventId, isUndone: z.boolean() });

/** The author compared numbers with that person and knows them; or takes the word back. */
const introduce = z.object({ person: personId, isKnown: z.boolean() });

/** The sphere goes on in that one. */
const continued = z.object({ sphere: hex<SphereId>(64) });
/** The sphere goes on from that one. */
const continues = z.object({ sphere: hex<SphereId>(64) });

function kindOf(root: 'file' | 'folder'): 'folder' | 'other' {
  return root === 'folder' ? 'folder' : 'other';
}

export const eventBodySchemas = {
  genesis,
  device,
  'device-end': deviceEnd,
  invite,
  join: answer,
  decline: answer,
  leave,
  remove,
  role,
  moved,
  handover,
  accept,
  succession,
  succeed,
  object,
  epoch,
  item,
  torrent,
  message,
  part,
  rename,
  picture,
  room,
  read,
  reaction,
  edit,
  retract,
  introduce,
  continued,
  continues,
} as const;

export type KnownType = keyof typeof eventBodySchemas;
export type EventBodies = { readonly [T in KnownType]: z.output<(typeof eventBodySchemas)[T]> };
/** What a body is written from. */
export type EventInput<T extends KnownType> = z.input<(typeof eventBodySchemas)[T]>;
export type LastAccepted = z.output<typeof lastAccepted>;
export type SpherePolicy = EventBodies['genesis']['policy'];

export function isKnownType(type: string): type is KnownType {
  return Object.hasOwn(eventBodySchemas, type);
}
