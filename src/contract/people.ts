import { oc } from '@orpc/contract';
import * as z from 'zod';
import { bareJidSchema, done, personIdSchema, sphereIdSchema } from './ids.ts';

/** People outside of spheres: who we know, who asks, who is shut out. */

const count = z.number().int().nonnegative();

/** A device of an account that nobody vouched for. `open`: nobody has said yet whether it may read what is said. */
export const chosenDeviceSchema = z.object({
  deviceId: z.number().int().nonnegative(),
  choice: z.enum(['open', 'let-in', 'left-out']),
  /** 0 = not known. */
  sinceMs: count,
});
export type ChosenDeviceView = z.infer<typeof chosenDeviceSchema>;

export const contactSchema = z.object({
  jid: bareJidSchema,
  /** Names the conversation with them in the calls about messages. */
  conversationId: sphereIdSchema,
  /** What to show: what we call them, else what they call themselves, else a part of their address. */
  name: z.string(),
  /** `met`: we talked, and they are not on our list. `request`: they write or ask, and we have not answered. */
  standing: z.enum(['contact', 'met', 'request']),
  /** Who sees when whom is online (RFC 6121 §2.1.2.5): `to` = we see them, `from` = they see us. */
  subscription: z.enum(['none', 'to', 'from', 'both']),
  /** We asked them and have no answer. */
  asked: z.boolean(),
  /** They asked us and have no answer. */
  wants: z.boolean(),
  /**
   * The address by which we know them; null for everybody else. `isConfirmed`: the account there says that they are here now.
   * Otherwise it could not be asked, and a sphere says so.
   */
  movedFrom: z.object({ jid: bareJidSchema, name: z.string(), isConfirmed: z.boolean() }).nullable(),
  blocked: z.boolean(),
  online: z.boolean(),
  unread: count,
  /** The newest line between us; null when nothing was said. */
  lastLine: z.string().nullable(),
  lastActivityMs: count,
  /**
   * `blind`: nothing was ever compared, and all of their devices read what is said. `compared`: their number, or a device of theirs,
   * was: only what is vouched for reads. `asked`: that was taken back, or counts no more: only devices that were let in read.
   */
  trust: z.enum(['blind', 'compared', 'asked']),
  /** Devices that nobody vouched for, once the person is compared. */
  devices: z.array(chosenDeviceSchema),
});
export type ContactView = z.infer<typeof contactSchema>;

const deviceId = z.number().int().positive();
const fingerprint = z.string().regex(/^[0-9a-f]{64}$/);

/** What a person's own program shows of a device of theirs, and how it stands here. */
export /** Digits or words, each enough alone; the words say the same in each language. */
const numberSchema = z.object({ digits: z.string(), words: z.object({ en: z.string(), fr: z.string() }) });
export type NumberView = z.infer<typeof numberSchema>;

const fingerprintSchema = z.object({
  deviceId: z.number().int().nonnegative(),
  /** null when its keys cannot be had now. */
  fingerprint: fingerprint.nullable(),
  standing: z.enum(['open', 'compared', 'let-in', 'left-out']),
});
export type FingerprintView = z.infer<typeof fingerprintSchema>;

/** A device of our own, for others to compare. */
export const ownFingerprintSchema = z.object({
  deviceId,
  fingerprint,
  name: z.string(),
  isHere: z.boolean(),
});
export type OwnFingerprintView = z.infer<typeof ownFingerprintSchema>;

/** What somebody looks like: the address of a small picture on the engine's own port, null = nothing is known. */
export const pictureSchema = z.object({ jid: bareJidSchema, url: z.string().nullable() });
export type PictureView = z.infer<typeof pictureSchema>;

export const peopleEvents = [
  z.object({ kind: z.literal('contact'), contact: contactSchema }),
  z.object({ kind: z.literal('contact-removed'), jid: bareJidSchema, conversationId: sphereIdSchema }),
  pictureSchema.extend({ kind: z.literal('picture') }),
] as const;

const ofPerson = z.object({ jid: bareJidSchema });
const name = z.string().trim().max(200);

export const peopleContract = {
  list: oc.output(z.object({ people: z.array(contactSchema) })),
  /**
   * Puts them on our list and asks to see when they are online; answers a request of theirs too. `token` out of a link
   * of theirs has their server say yes for them (XEP-0379).
   */
  add: oc
    .input(ofPerson.extend({ name: name.optional(), token: z.string().max(200).optional() }))
    .output(z.object({ person: contactSchema })),
  /** Begins to talk with somebody, whoever they are; they are put on no list. */
  open: oc.input(ofPerson).output(z.object({ person: contactSchema })),
  /** What we call them; empty = what they call themselves. */
  rename: oc.input(ofPerson.extend({ name })).output(done),
  /** Takes them off our list; what was said stays. */
  remove: oc.input(ofPerson).output(done),
  /** Answers a request with no: they hear nothing, and what they wrote is gone from here. */
  decline: oc.input(ofPerson).output(done),
  /** They have moved here from an address that we know: name, place on the list and all that was said go along. */
  follow: oc.input(ofPerson).output(done),
  /** Nothing of theirs is taken any more. With `report` the people who run our server hear that they send spam. */
  block: oc.input(ofPerson.extend({ report: z.boolean().default(false) })).output(done),
  unblock: oc.input(ofPerson).output(done),
  markRead: oc.input(ofPerson).output(done),
  /** Says of a device that nobody vouched for whether it may read what is said; of a program at our own account whether it is ours. */
  chooseDevice: oc.input(ofPerson.extend({ deviceId, choice: z.enum(['let-in', 'left-out']) })).output(done),
  /** The numbers that two people compare to know that nobody stands between them: ours, and that of a member. */
  numbers: oc
    .input(z.object({ person: personIdSchema }))
    /** `code` is ours for others to read: it holds our key. */
    .output(z.object({ own: numberSchema, theirs: numberSchema, code: z.string() })),
  /** Says whether the number that this member's program shows is the one that ours shows for them. */
  verify: oc.input(ofPerson.extend({ person: personIdSchema, isSame: z.boolean() })).output(done),
  /** The devices of somebody and ours, to be compared one by one, as it goes with every program. `code` names ours. */
  fingerprints: oc
    .input(ofPerson)
    .output(z.object({ own: z.array(ownFingerprintSchema), devices: z.array(fingerprintSchema), code: z.string() })),
  /** Says whether their program shows these fingerprints for these devices. */
  compare: oc
    .input(
      ofPerson.extend({ devices: z.array(z.object({ deviceId, fingerprint })).min(1).max(50), isSame: z.boolean() }),
    )
    .output(done),
};
