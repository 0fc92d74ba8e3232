import { equalBytes, fromHex, toHex, toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Decrypted } from '../omemo/omemo.ts';
import type { Storage } from '../storage/storage.ts';
import type { Effects, SphereChange } from './effects.ts';
import type { IncomingMessage } from './incoming-message.ts';
import { isDeviceProven } from './device-proof.ts';
import { checkAttachments, isTextOf } from './protocol/check-attachments.ts';
import type { Attachment, DeliveredEvent } from './protocol/envelope.ts';
import { attachment, encodeEnvelope, findAttachment, parseEntries } from './protocol/envelope.ts';
import type { SignedEvent } from './protocol/event.ts';
import { readInvitation } from './protocol/invitation.ts';
import { openSealed } from './protocol/seal.ts';
import type { Sphere } from './sphere.ts';

interface MailboxDeps {
  readonly storage: Storage;
  readonly own: BareJid;
  readonly effectsOf: (sphere: Sphere) => Effects;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** An event whose attachments are what its author meant. */
export interface CheckedDelivery {
  readonly event: SignedEvent;
  readonly kept: readonly Attachment[];
}

const HUMAN = new Set(['message', 'item']);

/** At most so many unanswered invitations are kept: strangers must not fill the disk. */
const MAX_OPEN_INVITATIONS = 50;
/** Nor must one of them keep out the others. */
const MAX_OPEN_OF_ONE = 10;

/** Opens the sealed part of decrypted messages and takes in what is inside. Runs within the caller's transaction. */
export class Mailbox {
  readonly #deps: MailboxDeps;

  constructor(deps: MailboxDeps) {
    this.#deps = deps;
  }

  /** Opens and checks what is inside; throws `forged` and the like, and changes nothing. */
  read(sphere: Sphere, message: IncomingMessage, result: Decrypted): readonly CheckedDelivery[] {
    const { sealed } = message;
    if (sealed === null) return [];
    if (sealed.sphere !== sphere.id) throw new AppError('forged', 'a message about another sphere');
    return this.#parse(sealed, result).map((one, index) => this.#check(one, index === 0 ? result.text : null));
  }

  /** Takes in what `read` gave; when it throws, the sphere in memory may be ahead of the database. */
  take(sphere: Sphere, deliveries: readonly CheckedDelivery[], hasLine: boolean): SphereChange[] {
    const taken = deliveries.flatMap((one) => this.#take(sphere, one));
    // Everything is said in a message of its own, and what people say with a line; the rest is passed on.
    const [first] = deliveries;
    const isToldAgain = deliveries.length > 1 || (!hasLine && HUMAN.has(first?.event.type ?? ''));
    return this.#deps.effectsOf(sphere).apply(taken, isToldAgain);
  }

  /** Whether a message outside the room was sealed by a certified device of a member. */
  isFromMember(sphere: Sphere, message: IncomingMessage, result: Decrypted): boolean {
    const identity = toHex(result.identityKey);
    return [...sphere.state.devices.values()].some(
      ({ jid, omemoIdentityKey }) => jid === message.from && omemoIdentityKey === identity,
    );
  }

  /** Keeps an invitation until it is answered; its id, or undefined when there is nothing to answer. */
  openInvitation(message: IncomingMessage, result: Decrypted, sphere?: Sphere): string | undefined {
    const { storage, own } = this.#deps;
    const { sealed } = message;
    if (sealed === null) return undefined;
    const context = { sphere: sealed.sphere, event: sealed.event };
    const entries = openSealed({ messageKey: result.messageKey, context }, sealed.bytes);
    const sender = { jid: message.from, omemoIdentityKey: toHex(result.identityKey) };
    const invitation = readInvitation({ sphereId: sealed.sphere, jid: own, sender, isDeviceProven }, entries);
    if (storage.invitations.get(invitation.invite) !== undefined) return undefined;
    const open = storage.invitations.list('open');
    const ofSender = open.filter(({ from }) => from === invitation.from);
    if (open.length >= MAX_OPEN_INVITATIONS || ofSender.length >= MAX_OPEN_OF_ONE) return undefined;
    const row = storage.spheres.get(sealed.sphere);
    const isHere = row !== undefined && (row.state === 'joined' || row.state === 'joining');
    if (isHere && sphere?.state.members.get(own)?.state === 'joined') return undefined;
    storage.invitations.put({
      id: invitation.invite,
      sphereId: invitation.sphereId,
      name: invitation.name,
      room: invitation.room,
      from: invitation.from,
      envelope: encodeEnvelope(entries),
      atMs: this.#deps.nowMs(),
      state: 'open',
    });
    return invitation.invite;
  }

  #parse(sealed: NonNullable<IncomingMessage['sealed']>, result: Decrypted): readonly DeliveredEvent[] {
    const context = { sphere: sealed.sphere, event: sealed.event };
    const entries = openSealed({ messageKey: result.messageKey, context }, sealed.bytes);
    const { delivered, refused } = parseEntries(entries, sealed.sphere);
    for (const error of refused) this.#deps.log.warn('event refused', { error });
    // Nothing genuine inside: whoever sent it is shown as having forged it.
    if (delivered.length === 0) throw refused[0] ?? new AppError('forged', 'a sealed element without events');
    return delivered;
  }

  #check({ event, attachments }: DeliveredEvent, line: string | null): CheckedDelivery {
    if (event.type === 'message' && line !== null && !isTextOf(event, toUtf8(line))) {
      throw new AppError('forged', 'the line is not the text that was signed');
    }
    const { accepted, unchecked, refused } = checkAttachments(event, withLine(event, attachments, line));
    if (refused.length > 0)
      this.#deps.log.warn('attachments refused', { type: event.header.type, count: refused.length });
    return { event, kept: [...accepted, ...unchecked] };
  }

  /** The event, unless it was here already and came with nothing that we understand. */
  #take(sphere: Sphere, { event, kept }: CheckedDelivery): SignedEvent[] {
    if (event.type === 'device' && !this.#isKeyKnown(event)) return [];
    const isNew = sphere.take(event, kept);
    return isNew || kept.some(({ kind }) => kind !== null) ? [event] : [];
  }

  /** The identity key in a certificate must be the one that this OMEMO device has always shown, if it ever did. */
  #isKeyKnown(event: Extract<SignedEvent, { type: 'device' }>): boolean {
    const { jid, omemoDeviceId, omemoIdentityKey } = event.body;
    if (jid === null || omemoDeviceId === null || omemoIdentityKey === null) return true;
    const { knownDevices } = this.#deps.storage;
    const claimed = fromHex(omemoIdentityKey) ?? new Uint8Array();
    const known = knownDevices.get(jid, omemoDeviceId);
    const fits = known === undefined || equalBytes(known.identityKey, claimed);
    if (!fits) this.#deps.log.warn('certificate names another identity key', { key: toHex(claimed).slice(0, 8) });
    return fits;
  }
}

/** The text of a message travels as the line that every client shows. */
function withLine(event: SignedEvent, attachments: readonly Attachment[], line: string | null): readonly Attachment[] {
  if (event.type !== 'message' || line === null || findAttachment(attachments, 'text') !== undefined)
    return attachments;
  return [...attachments, attachment('text', toUtf8(line))];
}
