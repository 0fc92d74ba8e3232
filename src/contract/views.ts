import * as z from 'zod';
import { ERROR_CODES } from '../base/errors.ts';
import { foundBySchema } from './finding.ts';
import { chosenDeviceSchema, contactSchema, peopleEvents, pictureSchema } from './people.ts';
import { bareJidSchema, deviceKeySchema, eventIdSchema, itemIdSchema, personIdSchema, sphereIdSchema } from './ids.ts';

/** What the engine shows of its state. All sizes are bytes, all times milliseconds since the epoch. */

const count = z.number().int().nonnegative();
const errorSchema = z.object({ code: z.enum(ERROR_CODES), message: z.string() });
export type ErrorView = z.infer<typeof errorSchema>;

/** An installation of our own person. */
export const deviceSchema = z.object({
  device: deviceKeySchema,
  /** What its owner calls it; empty until it has told. */
  name: z.string(),
  /** `new`: the person has not said yet that it is theirs; `ending`: it is removed once everything that it said is here. */
  state: z.enum(['here', 'new', 'known', 'ending', 'ended']),
  addedAtMs: count,
  seenAtMs: count,
});
export type DeviceView = z.infer<typeof deviceSchema>;

/** Of the account, until the person has read it. `vault-old`: the server gave an older recovery vault than it was given. */
export const WARNINGS = ['copied-profile', 'vault-old'] as const;
export type Warning = (typeof WARNINGS)[number];

export const accountSchema = z.object({
  jid: bareJidSchema,
  /** `failed` needs the person (a wrong password), `offline` mends itself. */
  state: z.enum(['connecting', 'online', 'offline', 'failed']),
  error: errorSchema.nullable(),
  /** What we call ourselves; absent where we say nothing. */
  name: z.string().optional(),
  /** This device first, then the person's others; absent where only the connection is told of. */
  devices: z.array(deviceSchema).optional(),
  /** Other programs at the account. */
  programs: z.array(chosenDeviceSchema).optional(),
  warnings: z.array(z.enum(WARNINGS)).optional(),
  /** The account by which the person goes in spheres already, when a move there is not at its end on this device. */
  goingTo: bareJidSchema.optional(),
});
export type AccountView = z.infer<typeof accountSchema>;

/** Bytes per second, 0 = no limit. */
export const limitsSchema = z.object({ up: count, down: count });
export type LimitsView = z.infer<typeof limitsSchema>;
export const NO_LIMITS: LimitsView = { up: 0, down: 0 };

export const roleSchema = z.enum(['owner', 'admin', 'member', 'viewer']);

/** Why an invited person cannot be reached, as their server says; many servers say nothing. */
export const troubleSchema = z.enum(['nobody-there', 'server-silent']);

export const memberSchema = z.object({
  jid: bareJidSchema,
  /** null until the invited person has joined. */
  person: personIdSchema.nullable(),
  name: z.string(),
  role: roleSchema,
  devices: count,
  /** `waiting`: only the server lists the person, no member with authority invited them. */
  state: z.enum(['invited', 'declined', 'joined', 'waiting']),
  online: z.boolean(),
  isMe: z.boolean(),
  trouble: troubleSchema.nullable(),
  /** A device of theirs has said two things in one place: two copies of it are at work, or somebody else has its key. */
  isForked: z.boolean(),
  /** Whether their number was compared, by us or by somebody we know; `changed`: that of somebody else with this address was. */
  identity: z.enum(['unverified', 'introduced', 'verified', 'changed']),
  /** Names of those we know who know them. */
  introducedBy: z.array(z.string()),
});
export type MemberView = z.infer<typeof memberSchema>;

/** Whom organisers want to follow an owner who is gone. */
export const candidateSchema = z.object({
  jid: bareJidSchema,
  name: z.string(),
  /** Names of those who said so. */
  voters: z.array(z.string()),
  /** How many organisers must say so. */
  needed: count,
  /** When it comes into force unless the owner objects; null = too few have said so. */
  atMs: count.nullable(),
});
export type CandidateView = z.infer<typeof candidateSchema>;

export const historySchema = z.enum(['all', 'from-join']);

export const sphereSchema = z.object({
  id: sphereIdSchema,
  name: z.string(),
  room: bareJidSchema,
  folder: z.string(),
  /** Whether what is put into the folder is shared by itself. */
  watchesFolder: z.boolean(),
  /** Its folder is on the way to another place; null = it is not. */
  folderMove: z.object({ bytesDone: count, bytesTotal: count }).nullable(),
  /** Of this device, for all items of the sphere together. */
  limits: limitsSchema,
  /** What those who join later get of what was said and shared before. */
  history: historySchema,
  myRole: roleSchema,
  /**
   * `refused`: we are a member and the server keeps us out at the moment. `left` and `removed` spheres stay readable but
   * receive nothing.
   */
  state: z.enum(['joining', 'joined', 'offline', 'refused', 'left', 'removed']),
  members: z.array(memberSchema),
  /** With whom we share it alone: its things stand beside what is said with them; null for all other spheres. */
  partner: bareJidSchema.nullable(),
  /** To whom the owner offers the sphere. */
  offeredTo: bareJidSchema.nullable(),
  candidates: z.array(candidateSchema),
  /** It was taken from us because we seemed to be gone; we can have it back. */
  mayObject: z.boolean(),
  /** Its owner seems to be all who decides here: it can go on in a new sphere of ours. */
  mayContinue: z.boolean(),
  /** Where it goes on, and who said so; `sphereId` null = we are not there yet. */
  continued: z.object({ sphereId: sphereIdSchema.nullable(), by: z.string() }).nullable(),
  /** We decide in it, and somebody who was removed since brought it to the server that it is on. */
  movedBy: z.object({ name: z.string(), server: z.string() }).nullable(),
  /** Messages that its chat server kept back and members gave, until the person has read of it or the server gives them after all. */
  withheld: z.object({ count, people: z.array(z.string()) }).nullable(),
  itemCount: count,
  unread: count,
  lastActivityMs: count,
  /** Preview address of the newest item that has one, for the sphere's card. */
  coverUrl: z.string().nullable(),
  /** Address of the picture that owner and admins gave it. */
  pictureUrl: z.string().nullable(),
});
export type SphereView = z.infer<typeof sphereSchema>;

export const invitationSchema = z.object({
  id: z.string(),
  sphereId: sphereIdSchema,
  sphere: z.string(),
  from: bareJidSchema,
  /** Nobody we know: it waits among the requests and disturbs nobody. */
  fromStranger: z.boolean(),
  /** To share with us alone: there is no group to come into. */
  ofTwo: z.boolean(),
  atMs: count,
});
export type InvitationView = z.infer<typeof invitationSchema>;

/** The states of an item on this device. */
export const itemStateSchema = z.enum([
  'listed',
  'queued',
  'downloading',
  'partial',
  'paused',
  'verifying',
  'complete',
  'sharing',
  'changed',
  'missing',
  'disk-full',
  'failed',
]);
export type ItemState = z.infer<typeof itemStateSchema>;

/** Which of several downloads gets what the line can carry. */
export const prioritySchema = z.enum(['low', 'normal', 'high']);
export type Priority = z.infer<typeof prioritySchema>;

export const mediaKindSchema = z.enum(['video', 'audio', 'image', 'pdf', 'folder', 'other']);
export type MediaKind = z.infer<typeof mediaKindSchema>;

export const itemFileSchema = z.object({
  index: count,
  name: z.string(),
  type: z.string(),
  kind: mediaKindSchema,
  bytes: count,
  /** How the file can be shown: in the page, by another program only, or not before it is complete. */
  playable: z.enum(['here', 'elsewhere', 'no']),
  durationMs: count.nullable(),
  /** Address of a small picture of it on the engine's own port, once the item is complete here. */
  previewUrl: z.string().nullable(),
  /** Whether all of it is on this computer. */
  isHere: z.boolean(),
  /** Whether it is here or on its way. */
  isWanted: z.boolean(),
});
export type ItemFileView = z.infer<typeof itemFileSchema>;

/** An item is shown with so many of its files, the first ones; the others are asked for. */
export const FILES_SHOWN = 500;

export const itemSchema = z.object({
  id: itemIdSchema,
  sphereId: sphereIdSchema,
  name: z.string(),
  type: z.string(),
  kind: mediaKindSchema,
  bytes: count,
  bytesHave: count,
  /** Of the files that are wanted: all of them, unless some were chosen. */
  bytesWanted: count,
  priority: prioritySchema,
  /** Of this device, beside those of the sphere and of everything. */
  limits: limitsSchema,
  state: itemStateSchema,
  error: errorSchema.nullable(),
  from: bareJidSchema,
  fromName: z.string(),
  mine: z.boolean(),
  plain: z.boolean(),
  /** A torrent from elsewhere: strangers take part in it, and see whoever fetches it. */
  isPublic: z.boolean(),
  foundBy: foundBySchema.nullable(),
  /** A plain one that other programs may fetch from this device. */
  isOpened: z.boolean(),
  atMs: count,
  /** Complete copies known elsewhere, our own not counted. */
  copies: count,
  downBps: count,
  upBps: count,
  /** Absolute path of the item on this disk, once there is one. */
  path: z.string().nullable(),
  /** Where the copy of the version before it lies, which is not what this one is; null = there is none. */
  earlierPath: z.string().nullable(),
  /** Whose item it is an edited copy of, and what that is called; both stand on the list. */
  basedOn: z.object({ name: z.string(), fromName: z.string() }).nullable(),
  /** Address of the preview picture on the engine's own port. */
  previewUrl: z.string().nullable(),
  /** base64 of a thumbhash, for the blur shown before the preview. */
  thumbhash: z.string().nullable(),
  width: count.nullable(),
  height: count.nullable(),
  durationMs: count.nullable(),
  /** The first of them, see FILES_SHOWN; none as long as the list is not here. */
  files: z.array(itemFileSchema),
  fileCount: count,
  /** Files of which all is on this computer. */
  filesHere: count,
  /** It was removed from the list of this device, or deleted for everybody; until then that can be undone. null = it is on the list. */
  undoUntilMs: count.nullable(),
  /** Who deleted it for everybody. */
  deletedBy: z.string().nullable(),
  /** Whether we may put it back on the list. */
  mayPutBack: z.boolean(),
});
export type ItemView = z.infer<typeof itemSchema>;

/** How much of an item a member is known to have. */
export const holderSchema = z.object({
  jid: bareJidSchema,
  name: z.string(),
  isMe: z.boolean(),
  online: z.boolean(),
  /** null = nothing was heard of a copy. */
  bytesHave: count.nullable(),
});
export type HolderView = z.infer<typeof holderSchema>;

/** Of all things of a sphere as many as a person is known to have: there may be more. */
export const heldSchema = z.object({ known: count, all: count });
export type HeldView = z.infer<typeof heldSchema>;

/** How far a line of ours has come. Names are those of people. */
const deliverySchema = z.object({
  /** Devices of others that it is for. */
  devices: count,
  /** Those of them that say they have it. */
  reached: count,
  seenBy: z.array(z.string()),
  /** Members whose program tells nothing: it may have arrived or not. */
  unknown: z.array(z.string()),
});
export type DeliveryView = z.infer<typeof deliverySchema>;

const reactionSchema = z.object({ sign: z.string(), people: z.array(z.string()), mine: z.boolean() });
export type ReactionView = z.infer<typeof reactionSchema>;

/** What a line answers or comments on, as much of it as is shown; text null = it is not here, or was taken away. */
const quoteSchema = z.object({
  id: eventIdSchema,
  kind: z.enum(['text', 'item']),
  fromName: z.string(),
  text: z.string().nullable(),
});
export type QuoteView = z.infer<typeof quoteSchema>;

export const messageSchema = z.object({
  id: eventIdSchema,
  sphereId: sphereIdSchema,
  from: bareJidSchema,
  fromName: z.string(),
  mine: z.boolean(),
  /** Whose key it is signed or encrypted with; null = that of nobody we know, and the address may be claimed. */
  person: personIdSchema.nullable(),
  kind: z.enum(['text', 'item', 'notice']),
  text: z.string(),
  /** Of a long text `text` is the beginning: so many characters are left out, and `messages.text` gives all. */
  more: count.optional(),
  /** Only the beginning of its text has come. */
  arriving: z.literal(true).optional(),
  itemId: itemIdSchema.nullable(),
  atMs: count,
  /** `guest` lines come from ordinary XMPP clients; `undecryptable` and `forged` are shown, never hidden. */
  state: z.enum(['queued', 'sent', 'delivered', 'seen', 'failed', 'received', 'guest', 'undecryptable', 'forged']),
  /** Why a line of ours is `failed`: it did not go out, or it does not count. */
  failure: z.enum(ERROR_CODES).nullable(),
  /** Sorts the lines of a sphere. */
  order: z.string(),
  encrypted: z.boolean(),
  /** null for lines of others. */
  delivery: deliverySchema.nullable(),
  replyTo: quoteSchema.nullable(),
  reactions: z.array(reactionSchema),
  /** `retracted`: its author or an admin took it away; its text is empty. */
  change: z.enum(['none', 'edited', 'retracted']),
  mentionsMe: z.boolean(),
  /** Who was removed, and how many things they were known to have; of the notice `removed` alone. */
  removed: z.object({ name: z.string(), isMe: z.boolean(), known: count }).optional(),
});
export type MessageView = z.infer<typeof messageSchema>;

/** Symbolic links, pipes and devices, names that are no text, empty folders. */
export const leftOutReasonSchema = z.enum(['link', 'special', 'name', 'empty']);

export const leftOutSchema = z.object({ reason: leftOutReasonSchema, count, names: z.array(z.string()) });

/** One file or folder on its way into a sphere. */
export const shareJobSchema = z.object({
  id: z.string(),
  sphereId: sphereIdSchema,
  name: z.string(),
  phase: z.enum(['looking', 'preparing', 'sending', 'done', 'cancelled', 'failed']),
  bytesDone: count,
  bytesTotal: count,
  bytesPerSecond: count,
  /** What lies in the folder and is not shared with it, with the first names of each kind. */
  leftOut: z.array(leftOutSchema),
  itemId: itemIdSchema.nullable(),
  error: errorSchema.nullable(),
  /** It was shared before and gets a new key, because somebody who had gone would know the old one. */
  isNewKey: z.boolean(),
});
export type ShareJobView = z.infer<typeof shareJobSchema>;

export const swarmSchema = z.object({
  state: z.enum(['starting', 'running', 'restarting', 'stopped']),
  port: count,
  downBps: count,
  upBps: count,
  paused: z.boolean(),
  /** The address the router gave us, `host:port`, when a mapping stands. */
  mapped: z.string().nullable(),
  peers: count,
});
export type SwarmView = z.infer<typeof swarmSchema>;

export const snapshotSchema = z.object({
  seq: count,
  version: z.string(),
  account: accountSchema.nullable(),
  spheres: z.array(sphereSchema),
  invitations: z.array(invitationSchema),
  people: z.array(contactSchema),
  pictures: z.array(pictureSchema),
  items: z.array(itemSchema),
  jobs: z.array(shareJobSchema),
  swarm: swarmSchema,
  limits: limitsSchema,
});
export type Snapshot = z.infer<typeof snapshotSchema>;

/** A fact that changed. Upserts carry the whole view, but long lists of files, so that applying one twice does no harm. */
export const appEventSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('account'), account: accountSchema.nullable() }),
  z.object({ kind: z.literal('sphere'), sphere: sphereSchema }),
  z.object({ kind: z.literal('sphere-removed'), sphereId: sphereIdSchema }),
  z.object({ kind: z.literal('invitation'), invitation: invitationSchema }),
  z.object({ kind: z.literal('invitation-removed'), id: z.string() }),
  z.object({ kind: z.literal('item'), item: itemSchema }),
  /** An item whose list of files is long, and still what was told last. */
  z.object({ kind: z.literal('item-progress'), item: itemSchema.omit({ files: true }) }),
  z.object({ kind: z.literal('item-removed'), itemId: itemIdSchema }),
  z.object({ kind: z.literal('message'), message: messageSchema }),
  z.object({ kind: z.literal('message-removed'), sphereId: sphereIdSchema, messageId: eventIdSchema }),
  /** Others who are writing there now; names of people. */
  z.object({ kind: z.literal('typing'), sphereId: sphereIdSchema, people: z.array(z.string()) }),
  ...peopleEvents,
  z.object({ kind: z.literal('job'), job: shareJobSchema }),
  z.object({ kind: z.literal('swarm'), swarm: swarmSchema }),
  z.object({ kind: z.literal('limits'), limits: limitsSchema }),
  /** Something the person should read once; `params` fill the translated sentence. */
  z.object({ kind: z.literal('notice'), code: z.string(), params: z.record(z.string(), z.string()) }),
]);
export type AppEvent = z.infer<typeof appEventSchema>;

export const sequencedEventSchema = z.object({ seq: count, event: appEventSchema });
export type SequencedEvent = z.infer<typeof sequencedEventSchema>;
