import type { BareJid, EventId, PersonId } from '../../base/id.ts';
import type { Cut } from './cut.ts';
import type { SphereRole } from './event-body.ts';
import type { KnownEvent, SignedEvent } from './event.ts';

export type MemberState = 'invited' | 'joined' | 'left' | 'removed';

/** One time in the sphere: what was done in it is judged by it, also after it ended. */
export interface Span {
  readonly cuts: Cut[];
}

export interface MemberRecord {
  readonly jid: BareJid;
  /** null until the invited person has joined. */
  readonly person: PersonId | null;
  readonly role: SphereRole;
  readonly state: MemberState;
  /** Invitations that may be answered, with their public keys. */
  readonly invites: ReadonlyMap<EventId, string>;
  readonly span: Span | null;
  /** The times before the last one. */
  readonly pastSpans: readonly Span[];
  /** The event that they came in by; null until they have. */
  readonly began: EventId | null;
  /** The event that removed the account, and what it was until then. */
  readonly removal: { readonly id: EventId; readonly from: MemberState } | null;
}

/** Who founded the sphere. */
export function founder({ id, header, body }: KnownEvent<'genesis'>): MemberRecord {
  const rest = { invites: new Map(), span: { cuts: [] }, pastSpans: [], began: id, removal: null };
  return { jid: body.ownerJid, person: header.person, role: 'owner', state: 'joined', ...rest };
}

export const RANK: Record<SphereRole, number> = { viewer: 0, member: 1, admin: 2, owner: 3 };

/** Move the sphere from one owner to the next. */
export type OwnershipType = 'handover' | 'accept' | 'succession' | 'succeed' | 'object';
type StructuralType =
  | 'genesis'
  | 'device'
  | 'device-end'
  | 'invite'
  | 'join'
  | 'decline'
  | 'leave'
  | 'remove'
  | 'role'
  | 'moved'
  | OwnershipType;
/** Events that say who is in the sphere. */
export type StructuralEvent = KnownEvent<StructuralType>;

const STRUCTURAL: ReadonlySet<string> = new Set<StructuralType>([
  'genesis',
  'device',
  'device-end',
  'invite',
  'join',
  'decline',
  'leave',
  'remove',
  'role',
  'moved',
  'handover',
  'accept',
  'succession',
  'succeed',
  'object',
]);

export function isStructural(event: SignedEvent): event is StructuralEvent {
  return STRUCTURAL.has(event.type);
}

/** All times in the sphere, the last one at the end. */
export function spansOf(record: MemberRecord | undefined): readonly Span[] {
  if (record === undefined) return [];
  return record.span === null ? record.pastSpans : [...record.pastSpans, record.span];
}
