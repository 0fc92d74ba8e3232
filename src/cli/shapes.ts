import * as z from 'zod';

/**
 * What each command prints with `--json`. Values are parsed with these schemas before they are printed,
 * so that scripts see exactly these fields. Shapes only grow.
 */

const bytes = z.number().int().describe('bytes');
const timeMs = z.number().int().describe('milliseconds since the epoch');

export const okShape = z.object({ ok: z.literal(true) });

export const invitedShape = okShape.extend({
  trouble: z.string().nullable().describe('nobody-there or server-silent, when their server says so at once'),
});

const accountShape = z.object({
  jid: z.string(),
  state: z.string(),
  goingTo: z
    .string()
    .optional()
    .describe('the account by which you go in spheres already: account move goes on there, account stay takes it back'),
});
export const accountAnswerShape = z.object({ account: accountShape.nullable() });

export const kitShape = z.object({
  lines: z.array(z.string()).describe('to be written down'),
  code: z.string().describe('the same for a QR code'),
});

export const devicesShape = z.object({
  devices: z.array(
    z.object({
      device: z.string(),
      name: z.string(),
      state: z.string().describe('here, new, known or ended'),
      addedAtMs: timeMs,
      seenAtMs: timeMs,
    }),
  ),
});

export const chosenDevicesShape = z.object({
  devices: z.array(
    z.object({
      deviceId: z.number().int(),
      choice: z.string().describe('open when nothing was said of it yet, let-in, or left-out'),
      sinceMs: timeMs,
    }),
  ),
});

const fingerprint = z.string().describe('of its identity key, 64 hex digits');
const number = z.object({ digits: z.string(), words: z.object({ en: z.string(), fr: z.string() }) });
export const comparisonShape = z.object({
  numbers: z
    .object({ theirs: number, own: number })
    .nullable()
    .describe('null for somebody whom you meet in no sphere'),
  devices: z.array(
    z.object({
      deviceId: z.number().int(),
      fingerprint: fingerprint.nullable().describe('null when its keys cannot be had now'),
      standing: z.string().describe('open when nothing was said of it yet, compared, let-in, or left-out'),
    }),
  ),
  own: z.array(z.object({ deviceId: z.number().int(), fingerprint, name: z.string() })),
  code: z.string().describe('a link for their program: it names your devices, or your key'),
  differed: z.array(z.number().int()).describe('devices of LINK that were met here with another key'),
});

export const exportedShape = z.object({
  path: z.string().describe('the folder that was made'),
  messages: z.number().int(),
  files: z.number().int().describe('files that were copied'),
});

export const readyShape = z.object({
  url: z.string().describe('address that opens the application'),
  pid: z.number().int(),
  version: z.string(),
  already: z.boolean().optional().describe('with --ask: it ran before, and goes on'),
});

export const statusShape = z.object({
  version: z.string(),
  pid: z.number().int(),
  url: z.string(),
  account: accountShape.nullable(),
  swarm: z.object({
    state: z.string(),
    port: z.number().int(),
    downBps: z.number().int(),
    upBps: z.number().int(),
  }),
});

const sphereShape = z.object({
  id: z.string(),
  name: z.string(),
  room: z.string(),
  folder: z.string(),
  state: z.string(),
  partner: z.string().nullable().describe('the person with whom it is shared alone; null for all other spheres'),
});
export const sphereAnswerShape = z.object({ sphere: sphereShape });
export const movedFolderShape = sphereAnswerShape.extend({
  stayed: z.number().describe('files that were changed meanwhile and stayed in the old place'),
});
export const spheresShape = z.object({ spheres: z.array(sphereShape) });

export const membersShape = z.object({
  members: z.array(
    z.object({
      jid: z.string(),
      person: z.string().nullable().describe('null until the invited person has joined'),
      role: z.string(),
      devices: z.number().int(),
      state: z.string().describe('joined, invited, declined, or waiting when nobody with authority invited them'),
    }),
  ),
});

export const invitationsShape = z.object({
  invitations: z.array(z.object({ id: z.string(), sphere: z.string(), from: z.string(), atMs: timeMs })),
});

const personShape = z.object({
  jid: z.string(),
  name: z.string(),
  standing: z.string().describe('contact, met when you talked only, or request when they wait for your answer'),
  subscription: z.string().describe('none, to when you see when they are online, from, or both'),
  asked: z.boolean(),
  wants: z.boolean(),
  movedFrom: z
    .object({ jid: z.string(), name: z.string(), isConfirmed: z.boolean() })
    .nullable()
    .describe(
      'the address by which you know them: person follow takes the new one; not confirmed: only a sphere says so',
    ),
  online: z.boolean(),
  unread: z.number().int(),
});
export const personAnswerShape = z.object({ person: personShape });
export const peopleShape = z.object({ people: z.array(personShape) });

const itemShape = z.object({
  id: z.string(),
  name: z.string(),
  type: z.string(),
  bytes,
  bytesHave: bytes,
  state: z.string(),
  from: z.string(),
  atMs: timeMs,
  copies: z.number().int().describe('complete copies known elsewhere'),
  isPublic: z.boolean().describe('a torrent from elsewhere: strangers take part in it'),
  foundBy: z
    .record(z.string(), z.number())
    .nullable()
    .describe('of a public one: how many strangers each way named first'),
  isOpened: z.boolean().describe('other programs may fetch it from this computer'),
  files: z.array(z.object({ name: z.string(), bytes })),
});
export const itemsShape = z.object({ items: z.array(itemShape) });
export const gotItemShape = z.object({ item: itemShape.extend({ path: z.string().nullable() }) });
export const sharedShape = z.object({
  items: z.array(itemShape.pick({ id: true, name: true, bytes: true, state: true })),
  leftOut: z.array(
    z.object({
      itemId: z.string(),
      reason: z.string().describe('link, special, name or empty'),
      count: z.number().int(),
      names: z.array(z.string()).describe('the first of them'),
    }),
  ),
});
export const openedShape = z.object({
  item: itemShape,
  file: z.string().describe('the .torrent file that was written'),
  endpoints: z.array(z.string()).describe('where other programs find this computer'),
});
export const closedShape = z.object({ item: itemShape });
export const removedShape = okShape.extend({
  kept: z.number().int().describe('files that stayed because they had been changed'),
});
export const recheckedShape = z.object({
  item: itemShape,
  damaged: z.number().int().describe('damaged pieces'),
});
export const holdersShape = z.object({
  bytes,
  copies: z.number().int().describe('complete copies known elsewhere'),
  holders: z.array(
    z.object({
      jid: z.string(),
      online: z.boolean(),
      bytesHave: bytes.nullable().describe('null when nothing was heard of a copy'),
    }),
  ),
});
export const urlShape = z.object({ url: z.string() });

export const saidShape = z.object({ id: z.string(), state: z.string() });
export const messagesShape = z.object({
  messages: z.array(
    z.object({
      id: z.string(),
      from: z.string(),
      kind: z.string(),
      text: z.string(),
      atMs: timeMs,
      state: z.string(),
      failure: z.string().nullable().describe('why a message of your own is failed'),
      encrypted: z.boolean(),
      change: z.string().describe('none, edited, or retracted: then there is no text any more'),
      replyTo: z.object({ id: z.string() }).nullable().describe('the message it answers, or the item it comments on'),
      reactions: z.array(z.object({ sign: z.string(), people: z.array(z.string()) })),
      delivery: z
        .object({
          devices: z.number().int().describe('devices of others that it is for'),
          reached: z.number().int().describe('those of them that say they have it'),
          seenBy: z.array(z.string()),
          unknown: z.array(z.string()).describe('members whose program tells nothing'),
        })
        .nullable()
        .describe('null for messages of others'),
    }),
  ),
});

export const foundShape = z.object({
  lines: z.array(
    z.object({
      sphereId: z.string().describe('the sphere, or the talk with one person'),
      place: z.object({ kind: z.string().describe('sphere or talk'), name: z.string() }),
      messageId: z.string(),
      itemId: z.string().nullable().describe('the item that is called so; null for what somebody wrote'),
      from: z.string(),
      atMs: timeMs,
      text: z.string().describe('the line, or the part of it around what was found'),
      marks: z
        .array(z.object({ from: z.number().int(), to: z.number().int() }))
        .describe('what was found in it, in UTF-16 units'),
    }),
  ),
  isWhole: z.boolean().describe('false while older lines are still being read after the start'),
});

const rate = bytes.describe('bytes per second, 0 = none');
export const limitsShape = z.object({ up: rate, down: rate });
export const settingsShape = z.object({
  settings: z.record(z.string(), z.unknown()).describe('each setting by its dotted name'),
});
export const idleShape = z.object({ idle: z.boolean() });

export const logShape = z.object({
  events: z.array(
    z.object({
      id: z.string(),
      author: z.string(),
      device: z.string(),
      sequence: z.number().int(),
      lamport: z.number().int(),
      type: z.string(),
      body: z.unknown(),
    }),
  ),
});

export const errorShape = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

const profileShape = z.object({
  id: z.string(),
  name: z.string().describe('as the person wrote it; empty when they have not'),
  account: z.string().nullable().describe('the account it is signed in with'),
  folder: z.string().describe('to be named with --profile'),
  listed: z.boolean().describe('false: taken off the list, with everything still there'),
  running: z.boolean(),
});
export const profilesShape = z.object({ profiles: z.array(profileShape) });
export const profileAnswerShape = z.object({ profile: profileShape });
