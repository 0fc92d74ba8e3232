import { equalBytes, fromHex, toHex, toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid, DeviceKey } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Decrypted } from '../omemo/omemo.ts';
import type { OwnDeviceRow } from '../storage/own-device-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { Effects, SphereChange } from './effects.ts';
import type { IncomingMessage } from './incoming-message.ts';
import { InvitationBook } from './invitation-book.ts';
import { certifiedAt } from './protocol/certified-at.ts';
import { checkAttachments, hasText, isTextOf } from './protocol/check-attachments.ts';
import type { Attachment, DeliveredEvent, EnvelopeEntry } from './protocol/envelope.ts';
import { attachment, findAttachment, parseEntries } from './protocol/envelope.ts';
import type { SignedEvent } from './protocol/event.ts';
import { isInviteProven } from './protocol/invite-proof.ts';
import { openSealed } from './protocol/seal.ts';
import type { SphereDevice } from './protocol/sphere-state.ts';
import type { KeptDelivery, Sphere } from './sphere.ts';

interface MailboxDeps {
  readonly storage: Storage;
  readonly own: BareJid;
  readonly effectsOf: (sphere: Sphere) => Effects;
  /** Of their invitations only so many are kept. */
  readonly isStranger: (jid: BareJid) => boolean;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** What somebody tells of a history pack. */
export interface PackOffer {
  /** The certified device of a member that sealed it; null = somebody else did. */
  readonly device: DeviceKey | null;
  readonly ticket: Uint8Array;
}

const HUMAN = new Set(['message', 'edit', 'part', 'item', 'torrent']);

/** Opens the sealed part of decrypted messages and takes in what is inside. Runs within the caller's transaction. */
export class Mailbox {
  readonly invitations: InvitationBook;
  readonly #deps: MailboxDeps;

  constructor(deps: MailboxDeps) {
    this.#deps = deps;
    this.invitations = new InvitationBook(deps);
  }

  /** Opens and checks what is inside; throws `forged` and the like, and changes nothing. */
  read(sphere: Sphere, message: IncomingMessage, result: Decrypted): readonly KeptDelivery[] {
    const { sealed } = message;
    if (sealed === null) return [];
    if (sealed.sphere !== sphere.id) throw new AppError('forged', 'a message about another sphere');
    return this.peek(sealed, result).map((one, index) => this.#check(one, index === 0 ? result.text : null));
  }

  /** What is inside, each event by itself; whether it has a place here and what came beside it is not looked at. */
  peek(sealed: NonNullable<IncomingMessage['sealed']>, result: Decrypted): readonly DeliveredEvent[] {
    const context = { sphere: sealed.sphere, event: sealed.event };
    const entries = openSealed({ messageKey: result.messageKey, context }, sealed.bytes);
    const { delivered, refused } = parseEntries(entries, sealed.sphere);
    for (const error of refused) this.#deps.log.warn('event refused', { error });
    // Nothing genuine inside: whoever sent it is shown as having forged it.
    if (delivered.length === 0) throw refused[0] ?? new AppError('forged', 'a sealed element without events');
    return delivered;
  }

  /** What a member passes on in another way than a message, checked like what comes in one. */
  check(sphere: Sphere, entries: readonly EnvelopeEntry[]): readonly KeptDelivery[] {
    const { delivered, refused } = parseEntries(entries, sphere.id);
    for (const error of refused) this.#deps.log.warn('event refused', { error });
    return delivered.map((one) => this.#check(one, null)).filter(({ event }) => this.#isBelieved(event));
  }

  /** The ticket of a history pack for us, and the member's device that sent it; undefined = the message is no such one. */
  ticketIn(sphere: Sphere, message: IncomingMessage, result: Decrypted): PackOffer | undefined {
    const [first, ...others] = message.sealed === null ? [] : this.peek(message.sealed, result);
    const ticket = findAttachment(first?.attachments ?? [], 'history-pack');
    if (ticket === undefined || first?.event.type !== 'genesis' || others.length > 0) return undefined;
    return { device: this.#senderIn(sphere, message, result)?.device ?? null, ticket };
  }

  /** Takes in what `read` gave; when it throws, the sphere in memory may be ahead of the database. */
  take(sphere: Sphere, deliveries: readonly KeptDelivery[], hasLine: boolean): SphereChange[] {
    // Everything is said in a message of its own, and what people say with a line; the rest is passed on. What fills a
    // gap was said before the line that showed the gap.
    const [first] = deliveries;
    const isPassedOn = deliveries.length > 1 || (!hasLine && HUMAN.has(first?.event.type ?? ''));
    const isToldAgain = isPassedOn || (first !== undefined && fillsGap(sphere, first.event));
    return this.#deps.effectsOf(sphere).apply(this.#take(sphere, deliveries), isToldAgain);
  }

  /** Of somebody who is no member nothing stays that does not count, or that they have said already: it could fill our log. */
  takeAnswers(sphere: Sphere, from: BareJid, deliveries: readonly KeptDelivery[]): SphereChange[] {
    const taken = deliveries.flatMap((one) => {
      const events = this.isAnswer(sphere, from, one) ? this.#take(sphere, [one]) : [];
      return events.filter(({ id }) => {
        const counts = sphere.log.verdict(id)?.kind !== 'refused';
        if (!counts) sphere.drop([id]);
        return counts;
      });
    });
    return this.#deps.effectsOf(sphere).apply(taken);
  }

  /** Whether a message outside the room was sealed by a certified device of a member. */
  isFromMember(sphere: Sphere, message: IncomingMessage, result: Decrypted): boolean {
    return this.#senderIn(sphere, message, result) !== undefined;
  }

  #senderIn({ log }: Sphere, { from }: IncomingMessage, { identityKey }: Decrypted): SphereDevice | undefined {
    return certifiedAt(log, { jid: from, omemoIdentityKey: toHex(identityKey) });
  }

  /** Whether a member's device says by itself that its person has the account now that the message came from. */
  isMove(sphere: Sphere, { from }: IncomingMessage, result: Decrypted, deliveries: readonly KeptDelivery[]): boolean {
    const identity = toHex(result.identityKey);
    // It may stand anywhere in what is passed on to somebody who missed it.
    return deliveries.some(({ event }) => {
      if (event.type !== 'moved' || event.body.to !== from) return false;
      const device = sphere.state.devices.get(event.header.device);
      return device?.person === event.header.person && device.omemoIdentityKey === identity;
    });
  }

  /** Whether another device of our person sealed it. */
  isFromOurs({ from }: IncomingMessage, result: Decrypted): boolean {
    const { own, storage } = this.#deps;
    const identity = toHex(result.identityKey);
    const isIt = (row: OwnDeviceRow): boolean => row.state !== 'ended' && row.omemoIdentityKey === identity;
    return from === own && storage.ownDevices.list().some(isIt);
  }

  /**
   * Whether whoever sent it need not be a member: they answer an invitation of theirs, which its secret proves, or object for
   * the first time to a vote against them.
   */
  isAnswer(sphere: Sphere, from: BareJid, { event }: KeptDelivery): boolean {
    if (event.type === 'object') {
      const { person } = event.header;
      const votes = new Set<string>(sphere.log.ownership.votes(person).map(({ id }) => id));
      return sphere.jidOf(person) === from && event.body.votes.some((id) => votes.has(id));
    }
    if (event.type !== 'decline') return false;
    const invite = sphere.log.get(event.body.invite);
    return invite?.type === 'invite' && invite.body.jid === from && isInviteProven(event, invite.body.key);
  }

  #check({ event, attachments }: DeliveredEvent, line: string | null): KeptDelivery {
    if (hasText(event) && line !== null && !isTextOf(event, toUtf8(line))) {
      throw new AppError('forged', 'the line is not the text that was signed');
    }
    const { accepted, unchecked, refused } = checkAttachments(event, withLine(event, attachments, line));
    if (refused.length > 0)
      this.#deps.log.warn('attachments refused', { type: event.header.type, count: refused.length });
    return { event, kept: [...accepted, ...unchecked] };
  }

  /** The events, but for those that were here already and came with nothing that we understand. */
  #take(sphere: Sphere, deliveries: readonly KeptDelivery[]): SignedEvent[] {
    const known = deliveries.filter(({ event }) => this.#isBelieved(event));
    const fresh = sphere.takeAll(known);
    const isTaken = ({ event, kept }: KeptDelivery): boolean =>
      fresh.has(event.id) || kept.some(({ kind }) => kind !== null);
    return known.filter(isTaken).map(({ event }) => event);
  }

  #isBelieved(event: SignedEvent): boolean {
    return event.type !== 'device' || this.#isKeyKnown(event);
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

/** Whether its device has said something after it that is here. */
function fillsGap({ log }: Sphere, { id, header }: SignedEvent): boolean {
  return !log.has(id) && (log.heads().get(header.device)?.sequence ?? -1) > header.sequence;
}

/** The text of a message travels as the line that every client shows. */
function withLine(event: SignedEvent, attachments: readonly Attachment[], line: string | null): readonly Attachment[] {
  if (!hasText(event) || line === null || findAttachment(attachments, 'text') !== undefined) return attachments;
  return [...attachments, attachment('text', toUtf8(line))];
}
