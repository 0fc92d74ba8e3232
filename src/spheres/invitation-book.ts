import { equalBytes, toHex } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid, EventId, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import type { Decrypted } from '../omemo/omemo.ts';
import type { InvitationRow } from '../storage/invitation-table.ts';
import type { Storage } from '../storage/storage.ts';
import { domainOf } from '../xmpp/jid.ts';
import type { Audience } from './audience.ts';
import { isDeviceProven } from './device-proof.ts';
import type { IncomingMessage } from './incoming-message.ts';
import type { DeliveredEvent, EnvelopeEntry } from './protocol/envelope.ts';
import { decodeEnvelope, encodeEnvelope, entryOf, findAttachment, parseEntries } from './protocol/envelope.ts';
import type { Author, KnownEvent, SignedEvent } from './protocol/event.ts';
import { buildEvent } from './protocol/event.ts';
import { readInvitation } from './protocol/invitation.ts';
import { proveInvite } from './protocol/invite-proof.ts';
import { generateSigningKey } from './protocol/keys.ts';
import { openSealed } from './protocol/seal.ts';
import { SphereLog } from './protocol/sphere-log.ts';
import { knownDevices } from './recipients.ts';
import type { Sphere } from './sphere.ts';

interface InvitationBookDeps {
  readonly storage: Storage;
  readonly own: BareJid;
  /** Whether we have answered nothing of this account yet, and meet it nowhere. */
  readonly isStranger: (jid: BareJid) => boolean;
  readonly nowMs: () => number;
  readonly log: Logger;
}

/** At most so many unanswered invitations of strangers are kept: they must not fill the disk. */
const MAX_OPEN_OF_STRANGERS = 20;
/** Nor must one server keep out the others: addresses cost nothing there. */
const MAX_OPEN_OF_SERVER = 10;
/** Nor one stranger the others of their server. */
const MAX_OPEN_OF_STRANGER = 5;
/** Of somebody we know. There are only so many of them, so that nobody else takes their place. */
const MAX_OPEN_OF_KNOWN = 10;

/** The invitations that came to this account: at most one of them is open for a sphere, the newest. */
export class InvitationBook {
  readonly #deps: InvitationBookDeps;

  constructor(deps: InvitationBookDeps) {
    this.#deps = deps;
  }

  /** Whether somebody invited us to this sphere, and we have not answered. */
  isOpen(sphereId: SphereId): boolean {
    return this.#deps.storage.invitations.bySphere(sphereId).some(({ state }) => state === 'open');
  }

  /** Takes in an invitation, or that one was taken back. The ids of those that are different now. */
  take({ from, sealed }: IncomingMessage, result: Decrypted, sphere?: Sphere): readonly string[] {
    if (sealed === null) return [];
    const context = { sphere: sealed.sphere, event: sealed.event };
    const entries = openSealed({ messageKey: result.messageKey, context }, sealed.bytes);
    const { delivered } = parseEntries(entries, sealed.sphere);
    if (delivered[0]?.event.type === 'remove') return this.#withdraw(sealed.sphere, delivered);
    if (delivered[0]?.event.type === 'room') return this.#redirect(sealed.sphere, entries);
    return this.#open({ jid: from, omemoIdentityKey: toHex(result.identityKey) }, sealed.sphere, entries, sphere);
  }

  #open(
    sender: { readonly jid: BareJid; readonly omemoIdentityKey: string },
    sphereId: SphereId,
    entries: readonly EnvelopeEntry[],
    sphere: Sphere | undefined,
  ): readonly string[] {
    const { storage, own, nowMs, log } = this.#deps;
    const { invitations } = storage;
    const invitation = readInvitation({ sphereId, jid: own, sender, isDeviceProven }, entries);
    if (invitations.get(invitation.invite) !== undefined || storage.blocked.has(invitation.from)) return [];
    const known = invitations.bySphere(sphereId);
    // Archives repeat what is old in any order.
    const lamport = lamportOf(invitation.delivered, invitation.invite);
    if (known.some((row) => lamportOf(deliveredOf(row), row.id) > lamport)) return [];
    const older = known.filter(({ state }) => state === 'open');
    if (!this.#hasRoomFor(invitation.from, sphereId)) {
      log.warn('invitation dropped: too many wait for an answer', { sphereId });
      return [];
    }
    const state = storage.spheres.get(sphereId)?.state;
    const isHere = state === 'joined' || state === 'joining';
    if (isHere && sphere?.placeOf(own)?.state === 'joined') return [];
    for (const { id } of older) invitations.update(id, { state: 'replaced' });
    const { invite: id, name, room, from } = invitation;
    invitations.put({
      ...{ id, sphereId, name, room, from },
      envelope: encodeEnvelope(entries),
      atMs: nowMs(),
      state: 'open',
    });
    return [...older.map((row) => row.id), id];
  }

  /** Who is a stranger is asked anew each time: whoever is known since no longer takes the place of other strangers. */
  #hasRoomFor(from: BareJid, sphereId: SphereId): boolean {
    const { storage, isStranger } = this.#deps;
    const others = storage.invitations.list('open').filter((row) => row.sphereId !== sphereId);
    const ofSender = others.filter((row) => row.from === from);
    if (!isStranger(from)) return ofSender.length < MAX_OPEN_OF_KNOWN;
    if (ofSender.length >= MAX_OPEN_OF_STRANGER) return false;
    const ofStrangers = others.filter((row) => isStranger(row.from));
    const ofServer = ofStrangers.filter((row) => domainOf(row.from) === domainOf(from));
    return ofStrangers.length < MAX_OPEN_OF_STRANGERS && ofServer.length < MAX_OPEN_OF_SERVER;
  }

  /** Judged by the log that came with the invitation: a member with authority may take it back, nobody else. */
  #withdraw(sphereId: SphereId, delivered: readonly DeliveredEvent[]): readonly string[] {
    const { invitations } = this.#deps.storage;
    const open = invitations.bySphere(sphereId).filter(({ state }) => state === 'open');
    const gone = open.filter((row) => {
      const log = logOf(sphereId, [...deliveredOf(row), ...delivered]);
      return log.state().members.get(this.#deps.own)?.state === 'removed';
    });
    for (const { id } of gone) invitations.update(id, { state: 'withdrawn' });
    return gone.map(({ id }) => id);
  }

  /** The sphere is in another room by now: judged by the log that came with the invitation, too. */
  #redirect(sphereId: SphereId, entries: readonly EnvelopeEntry[]): readonly string[] {
    const { invitations } = this.#deps.storage;
    const open = invitations.bySphere(sphereId).filter(({ state }) => state === 'open');
    const moved = open.filter((row) => {
      const known = decodeEnvelope(row.envelope);
      const added = entries.filter(({ bytes }) => !known.some((entry) => equalBytes(entry.bytes, bytes)));
      const all = [...known, ...added];
      const { room } = logOf(sphereId, parseEntries(all, sphereId).delivered);
      if (room === undefined || room === row.room) return false;
      return invitations.update(row.id, { room, envelope: encodeEnvelope(all) });
    });
    return moved.map(({ id }) => id);
  }
}

/** The invite event and its secret, out of what came with an invitation. */
export function secretOf(row: InvitationRow): { readonly invite: SignedEvent; readonly secret: Uint8Array } {
  const first = deliveredOf(row).find(({ event }) => event.id === row.id);
  const secret = findAttachment(first?.attachments ?? [], 'invite-secret');
  if (first === undefined || secret === undefined) throw new AppError('not-found', 'the invitation is incomplete');
  return { invite: first.event, secret };
}

export function deliveredOf({ envelope, sphereId }: InvitationRow): readonly DeliveredEvent[] {
  return parseEntries(decodeEnvelope(envelope), sphereId).delivered;
}

/**
 * The event that declines, and the devices of whoever invited. Its author is made for it alone: the invitation's secret
 * proves it, our own keys stay unknown to the sphere, and our chain of events begins with the joining, should it come.
 */
export function declining(
  row: InvitationRow,
  { random, nowMs }: { readonly random: RandomBytes; readonly nowMs: number },
): { readonly event: KnownEvent<'decline'>; readonly audience: Extract<Audience, { kind: 'known' }> } {
  const { invite, secret } = secretOf(row);
  const log = logOfInvitation(row);
  const device: Author['device'] = generateSigningKey(random);
  const author: Author = { person: generateSigningKey<Author['person']>(random).id, device };
  const proof = proveInvite('decline', secret, { invite: invite.id, person: author.person, device: device.id });
  const event = buildEvent(author, log.nextHeader(device.id, nowMs), 'decline', { invite: invite.id, proof });
  return { event, audience: { kind: 'known', jid: row.from, devices: knownDevices(log.state(), row.from) } };
}

export function envelopeOf(event: KnownEvent<'decline'>): Uint8Array {
  return encodeEnvelope([entryOf(event)]);
}

/** What the events that came with an invitation amount to. */
export function logOfInvitation(row: InvitationRow): SphereLog {
  return logOf(row.sphereId, deliveredOf(row));
}

function logOf(sphereId: SphereId, delivered: readonly DeliveredEvent[]): SphereLog {
  const log = new SphereLog({ sphereId, isDeviceProven });
  log.addAll(delivered.map(({ event }) => event));
  return log;
}

function lamportOf(delivered: readonly DeliveredEvent[], invite: EventId | string): number {
  return delivered.find(({ event }) => event.id === invite)?.event.header.lamport ?? 0;
}
