import { eventIterator, oc, type } from '@orpc/contract';
import * as z from 'zod';
import { doctorContract } from './doctor.ts';
import {
  bareJidSchema,
  deviceKeySchema,
  done,
  eventIdSchema,
  inSphere,
  itemIdSchema,
  ofItem,
  sphereIdSchema,
} from './ids.ts';
import { messagesContract } from './messages.ts';
import { peopleContract } from './people.ts';
import { profileContract } from './profiles.ts';
import { settingsContract } from './settings.ts';
import type { Snapshot } from './views.ts';
import {
  accountSchema,
  invitationSchema,
  itemFileSchema,
  itemSchema,
  leftOutSchema,
  limitsSchema,
  memberSchema,
  prioritySchema,
  sequencedEventSchema,
  historySchema,
  heldSchema,
  holderSchema,
  sphereSchema,
  swarmSchema,
  troubleSchema,
  WARNINGS,
} from './views.ts';

/** What the UI and the command line may ask of the engine. Commands are calls, facts are events. */

const name = z.string().trim().min(1).max(200);
/** A sphere has one owner. */
const givenRole = z.enum(['admin', 'member', 'viewer']);
const path = z.string().min(1).max(4096);
const picture = z.union([z.object({ base64: z.string().min(4).max(700_000) }), z.object({ path })]);

const login = z.object({
  jid: bareJidSchema,
  password: z.string().min(1).max(1024),
  /** Creates the account first (XEP-0077). */
  register: z.boolean().default(false),
  /** With `register`: the link by which the server lets us make it (XEP-0401). */
  invitation: z.string().max(2000).optional(),
  /** `host:port` instead of the domain's own records. */
  server: z.string().max(300).optional(),
  /** PEM file of a certificate authority to trust besides the system's. */
  caFile: path.optional(),
});

const account = {
  /** Connects, checks the server and keeps the account. Rejects with the reason when it cannot. */
  signIn: oc
    .input(
      login.extend({
        /** The recovery kit of this person, as it was typed: this becomes a device of theirs. */
        kit: z.string().max(2000).optional(),
        /** With `kit`: all devices that the person had before are gone, and count no more. */
        endsOthers: z.boolean().default(false),
      }),
    )
    .output(z.object({ account: accountSchema })),
  /** What the person keeps on paper: as lines, and as a text for a camera. Rejects with `wrong-password`. */
  kit: oc
    .input(z.object({ password: z.string().max(1024) }))
    .output(z.object({ lines: z.array(z.string()), code: z.string() })),
  /**
   * What the people on our list see of us: a name, empty = what the address says; a picture, in base64 or out of a file, null =
   * none. What is left out stays. Rejects with `bad-input` for what is no picture, or a name like an address.
   */
  setProfile: oc
    .input(
      z.object({
        name: z.string().trim().max(60).optional(),
        picture: picture.nullable().optional(),
      }),
    )
    .output(done),
  /** What this device is called on the person's other ones. */
  renameDevice: oc.input(z.object({ name: z.string().trim().min(1).max(80) })).output(done),
  /** Nothing that follows is for this device of the person any more. `isAtOnce`: also when not all that it said is here. */
  removeDevice: oc.input(z.object({ device: deviceKeySchema, isAtOnce: z.boolean().optional() })).output(done),
  /** The person says that a new device is theirs. */
  confirmDevice: oc.input(z.object({ device: deviceKeySchema })).output(done),
  /** The person has read it. */
  readWarning: oc.input(z.object({ warning: z.enum(WARNINGS) })).output(done),
  signOut: oc.output(done),
  /** Everything of the account as JSON in a new folder below this one, with copies of all files that are whole here. */
  export: oc
    .input(z.object({ folder: path.optional(), withFiles: z.boolean().default(false) }))
    .output(z.object({ path: z.string(), messages: z.number().int(), files: z.number().int() })),
  /** At the server and here. Rejects with `wrong-password` unless `current` is the password of now. */
  changePassword: oc
    .input(z.object({ current: z.string().max(1024), password: z.string().min(1).max(1024) }))
    .output(done),
  /**
   * Goes on with another account: spheres, people and what was said go along, and others hear where we are. `isLost`: the account
   * until now cannot be reached any more.
   */
  move: oc.input(login.extend({ isLost: z.boolean().default(false) })).output(z.object({ account: accountSchema })),
  /** Takes a move back that is not at its end on this device: in all spheres the person goes by this account again. */
  stay: oc.output(done),
  /** Removes the account from its server for good, and signs out. What is on this computer stays. */
  delete: oc.input(z.object({ password: z.string().max(1024) })).output(done),
};

/** The name of a server, or of its room service. */
const server = z
  .string()
  .trim()
  .toLowerCase()
  .regex(/^[^\s@/]{1,255}$/);

const spheres = {
  create: oc
    .input(z.object({ name, history: historySchema.default('all') }))
    .output(z.object({ sphere: sphereSchema })),
  /** The sphere in which we share with one person alone; it is made now when there is none. */
  withPerson: oc.input(z.object({ jid: bareJidSchema })).output(z.object({ sphere: sphereSchema })),
  list: oc.output(z.object({ spheres: z.array(sphereSchema) })),
  members: oc.input(inSphere).output(z.object({ members: z.array(memberSchema) })),
  /** `trouble` when their server says at once that they cannot be reached; the invitation stands all the same. */
  invite: oc
    .input(z.object({ sphereId: sphereIdSchema, jid: bareJidSchema, role: givenRole.default('member') }))
    .output(done.extend({ trouble: troubleSchema.nullable() })),
  remove: oc.input(z.object({ sphereId: sphereIdSchema, jid: bareJidSchema })).output(done),
  /** What a member would keep who is removed. */
  heldBy: oc.input(z.object({ sphereId: sphereIdSchema, jid: bareJidSchema })).output(heldSchema),
  /** Gives a member other rights. */
  setRole: oc.input(z.object({ sphereId: sphereIdSchema, jid: bareJidSchema, role: givenRole })).output(done),
  /**
   * `offer` hands a sphere of ours over once the other accepts, `null` takes that back; `accept` takes what is offered.
   * `propose` says whom the sphere is to go to because its owner is gone, and `object` is the owner's answer to that.
   */
  changeOwner: oc
    .input(
      z.object({
        sphereId: sphereIdSchema,
        step: z.discriminatedUnion('kind', [
          z.object({ kind: z.literal('offer'), jid: bareJidSchema.nullable() }),
          z.object({ kind: z.literal('accept') }),
          z.object({ kind: z.literal('propose'), jid: bareJidSchema }),
          z.object({ kind: z.literal('object') }),
        ]),
      }),
    )
    .output(done),
  /** The person has read that the chat server kept messages back. */
  readWithheld: oc.input(inSphere).output(done),
  /** Goes on in a new sphere of ours with every item, where an owner who is gone leaves nobody who decides. */
  continue: oc.input(inSphere).output(z.object({ sphere: sphereSchema })),
  rename: oc.input(z.object({ sphereId: sphereIdSchema, name })).output(done),
  /** null = none any more. Rejects with `bad-input` for what is no picture. */
  setPicture: oc.input(inSphere.extend({ picture: picture.nullable() })).output(done),
  /** To a new room at this server (`null`: our own); everybody comes along. Rejects with `room-refused`, and has changed nothing then. */
  move: oc
    .input(inSphere.extend({ server: server.nullable().default(null) }))
    .output(z.object({ sphere: sphereSchema })),
  /** On this device: whether what any program puts into the sphere's folder is shared by itself. */
  watchFolder: oc.input(inSphere.extend({ on: z.boolean() })).output(done),
  /**
   * On this device: moves the sphere's folder into the folder `into`, with everything in it. `stayed`: files that were
   * changed meanwhile are left where they were. Ending the call ends the waiting only.
   */
  moveFolder: oc
    .input(inSphere.extend({ into: path }))
    .output(z.object({ sphere: sphereSchema, stayed: z.number().int().nonnegative() })),
  cancelFolderMove: oc.input(inSphere).output(done),
  /** On this device: how fast all of its items together may go, beside the limits of everything; what is left out stays. */
  setLimits: oc.input(inSphere.extend(limitsSchema.partial().shape)).output(limitsSchema),
  leave: oc.input(inSphere).output(done),
  /** Takes a sphere that was left, or that we were removed from, off the list; its files and its past stay. */
  forget: oc.input(inSphere).output(done),
  invitations: oc.output(z.object({ invitations: z.array(invitationSchema) })),
  join: oc.input(z.object({ invitationId: z.string() })).output(z.object({ sphere: sphereSchema })),
  decline: oc.input(z.object({ invitationId: z.string() })).output(done),
  /** What is on the person's screen: all lines, or the shared items alone. Others are told. */
  markRead: oc.input(inSphere.extend({ what: z.enum(['all', 'items']).default('all') })).output(done),
};

const items = {
  /** Those on the list, or those that were taken off it on this device and can be put back. */
  list: oc
    .input(inSphere.extend({ removed: z.boolean().default(false) }))
    .output(z.object({ items: z.array(itemSchema) })),
  /** Resolves when each path is hashed and its event queued; with `wait` when the server has the events. */
  share: oc
    .input(
      z.object({
        sphereId: sphereIdSchema,
        paths: z.array(path).min(1).max(1000),
        plain: z.boolean().default(false),
        wait: z.boolean().default(false),
      }),
    )
    .output(z.object({ items: z.array(itemSchema), leftOut: z.array(leftOutSchema.extend({ itemId: itemIdSchema })) })),
  /** Shares a picture that lies in no file, told in parts; the item comes with the last one. */
  paste: oc
    .input(
      z.object({
        sphereId: sphereIdSchema,
        pictureId: z.string().regex(/^[0-9a-f]{32}$/),
        /** What it is to be called, without the ending. */
        name: z.string().trim().min(1).max(100),
        /** base64 */
        part: z.string().min(4).max(700_000),
        isLast: z.boolean(),
      }),
    )
    .output(z.object({ item: itemSchema.nullable() })),
  cancelShare: oc.input(z.object({ jobId: z.string() })).output(done),
  /** Starts the download; with `wait` resolves when the item is verified on disk. `strangers-see`: see `mayStrangersSee`. */
  get: oc
    .input(
      ofItem.extend({
        /** Only these files of a folder, with those that were asked for before; all when left out. */
        files: z.array(z.number().int().nonnegative()).min(1).max(100_000).optional(),
        /** The person knows that strangers will see this computer's address: nothing public begins without that. */
        mayStrangersSee: z.boolean().default(false),
        wait: z.boolean().default(false),
      }),
    )
    .output(z.object({ item: itemSchema })),
  /** Files of an item from a number on, in their order; fewer than `most` at the end, none while the list is not here. */
  files: oc
    .input(ofItem.extend({ from: z.number().int().min(0), most: z.number().int().min(1).max(5000).default(1000) }))
    .output(z.object({ files: z.array(itemFileSchema) })),
  /** The address on the engine's port that answers Range requests for one file. */
  playback: oc.input(ofItem.extend({ file: z.number().int().nonnegative().default(0) })).output(
    z.object({
      url: z.string(),
      type: z.string(),
      playable: z.enum(['here', 'elsewhere', 'no']),
      /** Where the person stopped on this device, 0 = from the beginning. */
      positionMs: z.number().int().nonnegative(),
    }),
  ),
  /** Remembers how far the person is with a file; 0 forgets it. */
  keepPosition: oc
    .input(ofItem.extend({ file: z.number().int().nonnegative(), positionMs: z.number().int().nonnegative() }))
    .output(done),
  /** Hands the file (or its playback address) to the system's own player. */
  openElsewhere: oc.input(ofItem.extend({ file: z.number().int().nonnegative().default(0) })).output(done),
  showInFolder: oc.input(ofItem).output(done),
  /** Members with what they are known to have of the item: we first, then who has most. */
  holders: oc
    .input(ofItem)
    .output(z.object({ bytes: z.number().int(), copies: z.number().int(), holders: z.array(holderSchema) })),
  pause: oc.input(ofItem).output(done),
  resume: oc.input(ofItem).output(done),
  /** Others of less importance wait while this one is moving. */
  setPriority: oc.input(ofItem.extend({ priority: prioritySchema })).output(done),
  /** On this device, beside the limits of its sphere and of everything; what is left out stays. */
  setLimits: oc.input(ofItem.extend(limitsSchema.partial().shape)).output(limitsSchema),
  /**
   * Takes the item off the list of this device, with its link in the sphere folder. A received copy stays or goes with
   * it; the original of something we shared always stays. `kept` counts files that stayed because they were changed.
   * With `forEverybody` it leaves the lists of all members too: for who shared it, owner and admins.
   */
  remove: oc
    .input(
      ofItem.extend({ copy: z.enum(['keep', 'delete']).default('keep'), forEverybody: z.boolean().default(false) }),
    )
    .output(done.extend({ kept: z.number().int().nonnegative() })),
  /** Puts a removed or deleted item back on the list, for 30 days. */
  restore: oc.input(ofItem).output(z.object({ item: itemSchema })),
  /** Shares an item whose file was edited as it is now: our own in place of what it was, that of others beside it. */
  shareVersion: oc.input(ofItem).output(z.object({ item: itemSchema })),
  /** A received file that was edited stays as it is and is not shared; the item stands on the list as not here. */
  keepEdited: oc.input(ofItem).output(z.object({ item: itemSchema })),
  /**
   * Lets other programs fetch a plain item from this device, and writes the .torrent file that they need into the folder,
   * the person's own when left out; for one that is open already another file. `not-plain` for an encrypted one.
   */
  openToPrograms: oc
    .input(ofItem.extend({ folder: path.optional() }))
    .output(z.object({ item: itemSchema, file: z.string(), endpoints: z.array(z.string()) })),
  /** Ends that, at once. */
  closeToPrograms: oc.input(ofItem).output(z.object({ item: itemSchema })),
  /** Reads the item on this disk again; resolves at the end. Damage of a received copy is fetched again. */
  recheck: oc.input(ofItem).output(z.object({ item: itemSchema, damaged: z.number().int().nonnegative() })),
};

/** The network this computer is in. */
const placeSchema = z.object({
  /** Its router and range, as `192.168.1.1 in 192.168.1.0/24`; null = it cannot be told from others. */
  network: z.string().nullable(),
  /** Whether the person called it public: members are not looked for in it. */
  isPublic: z.boolean(),
});
export type PlaceView = z.infer<typeof placeSchema>;

const network = {
  place: oc.output(placeSchema),
  /** For the network of now; kept for when this computer is there again. */
  setPublic: oc.input(z.object({ isPublic: z.boolean() })).output(placeSchema),
};

const transfers = {
  limits: oc.output(limitsSchema),
  setLimits: oc.input(limitsSchema.partial()).output(limitsSchema),
  pauseAll: oc.output(done),
  resumeAll: oc.output(done),
};

const system = {
  status: oc.output(
    z.object({
      version: z.string(),
      pid: z.number().int(),
      url: z.string(),
      account: accountSchema.nullable(),
      swarm: swarmSchema,
    }),
  ),
  /** Not checked: to compare ten thousand items with the schema takes as long as to find them. */
  snapshot: oc.output(type<Snapshot>()),
  /** Everything after `since`; ends with `conflict` when that is too long ago: take a new snapshot. */
  events: oc.input(z.object({ since: z.number().int().nonnegative() })).output(eventIterator(sequencedEventSchema)),
  /** A person looks until this call is given up, or its line is gone. */
  looking: oc.output(done),
  /** Folders and files below the person's home, for the path picker of the browser. */
  browse: oc.input(z.object({ path: path.optional() })).output(
    z.object({
      path: z.string(),
      parent: z.string().nullable(),
      entries: z.array(
        z.object({ name: z.string(), path: z.string(), kind: z.enum(['folder', 'file']), bytes: z.number().int() }),
      ),
    }),
  ),
  /** Waits until outbox, room archives and log heads are settled. */
  sync: oc.output(z.object({ idle: z.boolean() })),
  /** The sphere's event ids in canonical order with their headers: equal on members that agree. */
  exportLog: oc.input(inSphere).output(
    z.object({
      events: z.array(
        z.object({
          id: eventIdSchema,
          author: z.string(),
          device: z.string(),
          sequence: z.number().int(),
          lamport: z.number().int(),
          type: z.string(),
          body: z.unknown(),
        }),
      ),
    }),
  ),
  /** Names of items of which nobody else is known to hold a full copy: quitting now leaves them unreachable. */
  onlyCopies: oc.output(z.object({ names: z.array(z.string()) })),
  /** Ends the engine; used by the command line and by Quit. */
  shutDown: oc.output(done),
};

export const appContract = {
  account,
  people: peopleContract,
  profiles: profileContract,
  spheres,
  items,
  messages: messagesContract,
  transfers,
  settings: settingsContract,
  network,
  doctor: doctorContract,
  system,
};
export type AppContract = typeof appContract;
