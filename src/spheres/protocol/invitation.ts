import { AppError } from '../../base/errors.ts';
import type { BareJid, EventId, PersonId, SphereId } from '../../base/id.ts';
import { certifiedAt } from './certified-at.ts';
import type { DeliveredEvent, EnvelopeEntry } from './envelope.ts';
import { attachment, entryOf, findAttachment, parseEntries } from './envelope.ts';
import type { SphereRole } from './event-body.ts';
import type { KnownEvent, SignedEvent } from './event.ts';
import { inviteKeyOf } from './invite-proof.ts';
import { isStructural } from './member-record.ts';
import { SphereLog } from './sphere-log.ts';

/** What an invited person learns before answering. */
export interface Invitation {
  readonly sphereId: SphereId;
  /** The invite event, which an answer refers to. */
  readonly invite: EventId;
  readonly name: string;
  readonly room: BareJid;
  readonly from: BareJid;
  readonly fromPerson: PersonId;
  readonly jid: BareJid;
  readonly role: SphereRole;
  /** Proves the answer; 32 bytes. */
  readonly secret: Uint8Array;
  /** All events that came along, to begin the log with. */
  readonly delivered: readonly DeliveredEvent[];
}

/**
 * The content of the sealed 1:1 invitation: the invite with its secret, then genesis, membership, the certificates
 * of everyone who decided something, the name, and the room it moved to. The element's `event` is the invite's id.
 */
export function invitationEntries(
  log: SphereLog,
  invite: KnownEvent<'invite'>,
  secret: Uint8Array,
): readonly EnvelopeEntry[] {
  if (inviteKeyOf(secret) !== invite.body.key) throw new AppError('bad-input', 'the secret is of another invitation');
  return [entryOf(invite, [attachment('invite-secret', secret)]), ...foundationBeside(log, invite)];
}

/** A membership event for somebody outside the room, with everything it takes to judge it. */
export function membershipEntries(log: SphereLog, event: SignedEvent): readonly EnvelopeEntry[] {
  return [entryOf(event), ...foundationBeside(log, event)];
}

function foundationBeside(log: SphereLog, first: SignedEvent): EnvelopeEntry[] {
  return foundation(log)
    .filter((event) => event.id !== first.id)
    .map((event) => entryOf(event));
}

export interface InvitationInput {
  readonly sphereId: SphereId;
  /** The account that received it. */
  readonly jid: BareJid;
  /** Who sealed the OMEMO message; the identity key has 33 bytes, in hex. */
  readonly sender: { readonly jid: BareJid; readonly omemoIdentityKey: string };
  /** As in `SphereLog`. */
  readonly isDeviceProven: (event: KnownEvent<'device'>) => boolean;
}

/**
 * Reads an invitation. `forged` when the secret does not fit, the inviter had no right, or the OMEMO device that sent
 * it is not a certified device of the inviter.
 */
export function readInvitation(input: InvitationInput, entries: readonly EnvelopeEntry[]): Invitation {
  const { sphereId, jid } = input;
  const { delivered } = parseEntries(entries, sphereId);
  const [first] = delivered;
  const secret = findAttachment(first?.attachments ?? [], 'invite-secret');
  if (first?.event.type !== 'invite' || first.event.body.jid !== jid || secret === undefined) {
    throw new AppError('bad-input', 'this is not an invitation for us');
  }
  const invite = first.event;
  if (secret.length !== 32 || inviteKeyOf(secret) !== invite.body.key) {
    throw new AppError('forged', 'the invitation and its secret do not belong together');
  }
  const log = new SphereLog({ sphereId, isDeviceProven: input.isDeviceProven });
  log.addAll(delivered.map(({ event }) => event));
  const { name, accounts, members } = log.state();
  const { room } = log;
  const from = accounts.get(invite.header.person);
  const role = members.get(jid)?.role;
  const verdict = log.verdict(invite.id);
  if (room === undefined || from === undefined || role === undefined || verdict?.kind !== 'accepted') {
    throw new AppError('forged', 'whoever sent the invitation had no right to', { verdict });
  }
  // Whoever is about to move has a certificate for each account.
  if (certifiedAt(log, input.sender)?.person !== invite.header.person)
    throw new AppError('forged', 'the invitation was not sent by the one it names');
  return {
    sphereId,
    invite: invite.id,
    name,
    room,
    from,
    fromPerson: invite.header.person,
    jid,
    role,
    secret,
    delivered,
  };
}

/** The events without which nobody's authority can be judged, the newest name, the room, and the sphere that it goes on from. */
function foundation(log: SphereLog): readonly SignedEvent[] {
  const events = log.events();
  const deciding = events.filter((event) => isStructural(event) && event.type !== 'device');
  const name = events.findLast((event) => event.type === 'rename' && log.verdict(event.id)?.kind === 'accepted');
  const from = events.find((event) => event.type === 'continues' && log.verdict(event.id)?.kind === 'accepted');
  const beside = [name, from, log.moved ?? undefined].filter((event) => event !== undefined) as readonly SignedEvent[];
  const authors = new Set([...deciding, ...beside].map((event) => event.header.device));
  return events.filter(
    (event) =>
      beside.includes(event) || (isStructural(event) && (event.type !== 'device' || authors.has(event.header.device))),
  );
}
