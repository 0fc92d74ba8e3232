import type { EventId, PersonId } from '../../base/id.ts';
import type { KnownEvent } from './event.ts';
import type { MemberRecord } from './member-record.ts';
import { RANK } from './member-record.ts';
import type { RefusalReason } from './verdict.ts';

/** How long a succession leaves the owner to object. */
export const SUCCESSION_MS = 7 * 24 * 3_600_000;

/** An owner offers the sphere to a member. */
export interface Offer {
  readonly id: EventId;
  readonly from: PersonId;
  readonly to: PersonId;
}

/** An admin wants somebody to have the sphere, because its owner is gone. */
export interface Vote {
  readonly id: EventId;
  readonly by: PersonId;
  readonly to: PersonId;
  /** Who owned the sphere then: only they can object. */
  readonly owner: PersonId;
  readonly atMs: number;
}

export interface Moving {
  readonly owner: PersonId | null;
  /** The author's, as they had seen it. */
  readonly rank: number;
  readonly members: readonly MemberRecord[];
}

/** What was said about the ownership of a sphere, folded along with its membership. */
export class Ownership {
  /** The newest one that was neither taken nor taken back. */
  offer: Offer | null = null;
  readonly #votes = new Map<EventId, Vote>();
  readonly #objected = new Set<EventId>();
  /** Successions in force, and the votes they appeal to. */
  readonly #successions = new Map<EventId, readonly EventId[]>();

  /** What admins want, as far as the owner of now did not object. */
  votes(owner: PersonId | null): readonly Vote[] {
    return [...this.#votes.values()].filter((vote) => vote.owner === owner && !this.#objected.has(vote.id));
  }

  /** Whether a succession in force took the sphere from this person: their objection voids it. */
  isTakenFrom(person: PersonId): boolean {
    return [...this.#successions.values()].some((votes) => votes.some((id) => this.#votes.get(id)?.owner === person));
  }

  /** Why the offer does not count; null = it does. */
  handOver({ id, header, body }: KnownEvent<'handover'>, { rank, members }: Moving): RefusalReason | null {
    if (rank < RANK.owner) return 'not-allowed';
    const [from, to] = [header.person, body.person];
    if (to !== null && (to === from || joined(members, to) === undefined)) return 'no-such-member';
    this.offer = to === null ? null : { id, from, to };
    return null;
  }

  /** Why the vote does not count; null = it does. */
  vote({ id, header, body }: KnownEvent<'succession'>, { rank, owner, members }: Moving): RefusalReason | null {
    if (rank !== RANK.admin || owner === null) return 'not-allowed';
    if (joined(members, body.person)?.role !== 'admin') return 'no-such-member';
    this.#votes.set(id, { id, by: header.person, to: body.person, owner, atMs: header.wallMs });
    return null;
  }

  /** What the owner until now becomes, or why the author does not follow. */
  take(event: KnownEvent<'accept' | 'succeed'>, moving: Moving): 'admin' | 'member' | RefusalReason {
    const obstacle =
      event.type === 'accept' ? this.#obstacleToOffer(event, moving) : this.#obstacleToVotes(event, moving);
    if (obstacle !== null) return obstacle;
    if (event.type === 'succeed') this.#successions.set(event.id, event.body.votes);
    this.offer = null;
    // Whoever hands over stays an organiser; whoever is gone decides nothing any more.
    return event.type === 'accept' ? 'admin' : 'member';
  }

  /** The owner of then is not gone: gives the votes that never count, or null when nobody else may say so. */
  object({ header, body }: KnownEvent<'object'>): readonly EventId[] | null {
    const theirs = body.votes.filter((id) => this.#votes.get(id)?.owner === header.person);
    if (theirs.length === 0) return null;
    for (const id of theirs) this.#objected.add(id);
    return theirs;
  }

  #obstacleToOffer({ header, body }: KnownEvent<'accept'>, { owner }: Moving): RefusalReason | null {
    const { offer } = this;
    if (offer?.id !== body.handover || offer.to !== header.person) return 'not-invited';
    return offer.from === owner ? null : 'overruled';
  }

  #obstacleToVotes({ header, body }: KnownEvent<'succeed'>, { owner, rank, members }: Moving): RefusalReason | null {
    if (rank !== RANK.admin) return 'not-allowed';
    const ruling = members.filter(({ state, role }) => state === 'joined' && role === 'admin');
    const admins = new Set(ruling.flatMap(({ person }) => person ?? []));
    if (body.votes.some((id) => this.#objected.has(id))) return 'overruled';
    const votes = body.votes.flatMap((id) => this.#votes.get(id) ?? []);
    const isRipe = ({ to, owner: of, atMs, by }: Vote): boolean =>
      to === header.person && of === owner && atMs + SUCCESSION_MS <= header.wallMs && admins.has(by);
    if (votes.length < body.votes.length || !votes.every(isRipe)) return 'unproven';
    const voters = new Set(votes.map(({ by }) => by));
    return voters.size * 2 > admins.size ? null : 'unproven';
  }
}

function joined(members: readonly MemberRecord[], person: PersonId): MemberRecord | undefined {
  return members.find((record) => record.state === 'joined' && record.person === person);
}
