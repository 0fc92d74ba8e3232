import type { BareJid, DeviceKey, EventId, PersonId } from '../../base/id.ts';
import { Certificates } from './certificates.ts';
import { ContestedOffers } from './contested-offers.ts';
import type { Cut } from './cut.ts';
import { drawCut, isBeyond } from './cut.ts';
import type { Decision } from './decisions.ts';
import { Decisions } from './decisions.ts';
import type { LastAccepted } from './event-body.ts';
import type { KnownEvent, SignedEvent } from './event.ts';
import { isInviteProven } from './invite-proof.ts';
import { JoinedHistory } from './joined-history.ts';
import { MemberBook } from './member-book.ts';
import type { MembershipInput } from './membership-input.ts';
import type { MemberRecord, MemberState, Span, StructuralEvent } from './member-record.ts';
import { founder, RANK, spansOf } from './member-record.ts';
import type { Moving } from './ownership.ts';
import { Ownership } from './ownership.ts';
import type { RefusalReason, Verdict } from './verdict.ts';
import { ACCEPTED, judged, refused } from './verdict.ts';
import type { Voids } from './voids.ts';

const MAX_MEMBERS = 50;

export interface Standing {
  readonly record: MemberRecord;
  readonly rank: number;
}

type CutLine = Pick<Cut, 'role' | 'isStrict'> & { readonly lastAccepted: LastAccepted };
type ActEvent = Exclude<StructuralEvent, KnownEvent<'genesis' | 'device' | 'decline' | 'object'>>;
type Act = { readonly event: SignedEvent; readonly needs: number; readonly span: Span | null };

/** One pass over the structural events of a sphere. */
export class Membership {
  readonly verdicts = new Map<EventId, Verdict>();
  /** Everyone who was ever invited, as of the end of the log. */
  readonly book = new MemberBook();
  readonly genesis: KnownEvent<'genesis'> | null = null;
  newest: EventId | null = null;
  /** Places of all removals and leaves, in order. */
  readonly ends: number[] = [];
  readonly certificates: Certificates;
  /** Devices that their person has ended. */
  readonly ended = new Map<DeviceKey, PersonId>();
  readonly ownership = new Ownership();
  readonly joined = new JoinedHistory();
  readonly #input: MembershipInput;
  readonly #voids: Voids;
  readonly #decisions = new Decisions();
  readonly #decided = new Set<EventId>();
  readonly #inviteJids = new Map<EventId, BareJid>();
  readonly #acts: Act[] = [];
  readonly #offers: ContestedOffers;
  readonly #deviceCuts = new Map<DeviceKey, Cut[]>();

  constructor(input: MembershipInput, voids: Voids) {
    this.#input = input;
    this.#voids = voids;
    const genesis = input.byId.get(input.sphereId as string as EventId);
    if (genesis?.type === 'genesis') this.genesis = genesis;
    const usable = input.structural.filter((event) => this.#contradiction(event) === null);
    this.certificates = new Certificates(usable, input.isCertified);
    this.#offers = new ContestedOffers({ input, voids, certificates: this.certificates });
  }

  /** False when an earlier decision was found void: then everything must be folded again. */
  run(): boolean {
    const before = this.#voids.size;
    for (const event of this.#input.structural) {
      const verdict = this.#contradiction(event) ?? this.#fold(event);
      this.verdicts.set(event.id, verdict);
      if (verdict.kind === 'accepted' && event.type !== 'device') this.#take(event);
      if (this.#voids.size > before) return false;
    }
    return true;
  }

  /** Whether it stands, or might: who is asked is back without an answer when the invitation voids their removal. */
  counts(id: EventId): boolean {
    return this.#decided.has(id) || this.verdicts.get(id)?.kind === 'accepted';
  }

  /** What keeps an event from being judged at all; null when nothing does. */
  obstacle(event: SignedEvent): Verdict | null {
    const contradiction = this.#contradiction(event);
    if (contradiction !== null) return contradiction;
    const certificates = this.certificates.of(event.header.device);
    if (certificates.length === 0) return { kind: 'held', reason: 'certificate-missing' };
    return certificates.some((entry) => entry.header.person === event.header.person) ? null : refused('unproven');
  }

  /** The author's rights, judged at the newest membership event they had seen and behind every cut. */
  standing(event: SignedEvent): Standing | RefusalReason {
    if (this.#isBeyondEnd(event)) return 'removed';
    const seen = this.#input.order.seen(event.id);
    const record = this.joined.at(seen, event.header.person);
    if (record === undefined) return 'not-a-member';
    let rank = RANK[record.role];
    for (const cut of record.span?.cuts ?? []) {
      if (cut.position <= seen || !isBeyond(cut, event)) continue;
      if (cut.role === null) return 'removed';
      rank = Math.min(rank, RANK[cut.role]);
    }
    return { record, rank };
  }

  #contradiction(event: SignedEvent): Verdict | null {
    const reason = this.#input.order.held.get(event.id);
    if (reason !== undefined) return { kind: 'held', reason };
    if (this.#input.order.broken.has(event.id)) return refused('broken-chain');
    const voided = this.#voids.reason(event.id);
    return voided === undefined ? null : refused(voided);
  }

  #fold(event: StructuralEvent): Verdict {
    switch (event.type) {
      case 'genesis':
        return this.#foldGenesis(event);
      case 'device':
        return this.certificates.has(event) ? ACCEPTED : refused('unproven');
      case 'decline':
        // The invitation's secret is proof enough: who declines need not show a device.
        return this.#foldAnswer(event);
      case 'object':
        return this.obstacle(event) ?? this.#foldObject(event);
      default:
        return this.obstacle(event) ?? this.#foldAct(event);
    }
  }

  #foldAct(event: ActEvent): Verdict {
    if (event.type === 'join') return this.#foldAnswer(event);
    const accountOf = (person: PersonId): BareJid | undefined => this.book.accounts.get(person);
    if (event.type === 'accept') this.#offers.uphold(event, this.#acts, accountOf(event.header.person));
    const standing = this.standing(event);
    if (typeof standing === 'string') return refused(standing);
    if (event.type === 'remove' || event.type === 'handover') this.#offers.refuse(event, accountOf);
    switch (event.type) {
      case 'invite':
        return this.#foldInvite(event, standing);
      case 'leave':
        return this.#foldLeave(event, standing);
      case 'remove':
        return this.#foldRemove(event, standing);
      case 'role':
        return this.#foldRole(event, standing);
      case 'device-end':
        return this.#foldDeviceEnd(event, standing);
      case 'moved':
        return this.#foldMoved(event, standing);
      case 'handover':
        return this.#foldWord(event, standing, this.ownership.handOver(event, this.#moving(standing)));
      case 'succession':
        return this.#foldWord(event, standing, this.ownership.vote(event, this.#moving(standing)));
      case 'accept':
      case 'succeed':
        return this.#foldNewOwner(event, standing);
    }
  }

  #foldGenesis(event: KnownEvent<'genesis'>): Verdict {
    if (event !== this.genesis) return refused('other-sphere');
    this.book.put(founder(event));
    return ACCEPTED;
  }

  #foldInvite(event: KnownEvent<'invite'>, standing: Standing): Verdict {
    const { jid, role, key } = event.body;
    const decision = this.#decision(event, standing, jid);
    const isRoleSettled = this.#decisions.isRoleSettled(decision);
    const obstacle = this.#decide(standing, decision, RANK[role] + 1);
    if (obstacle !== null) return obstacle;
    const record = this.book.members.get(jid);
    if (record?.state === 'joined') return refused('already-a-member');
    const pending = record?.state === 'invited' ? record : null;
    if (pending === null && this.book.activeCount() >= MAX_MEMBERS) return refused('sphere-full');
    this.#note(event, standing, decision, RANK[role] + 1);
    this.#inviteJids.set(event.id, jid);
    this.book.put({
      jid,
      person: null,
      role: pending !== null && isRoleSettled ? pending.role : role,
      state: 'invited',
      invites: new Map([...(pending?.invites ?? []), [event.id, key]]),
      span: null,
      pastSpans: spansOf(record),
      began: record?.began ?? null,
      removal: null,
    });
    return ACCEPTED;
  }

  #foldAnswer(event: KnownEvent<'join' | 'decline'>): Verdict {
    const jid = this.#inviteJids.get(event.body.invite);
    const record = jid === undefined ? undefined : this.book.members.get(jid);
    if (record?.state === 'joined') return refused('already-a-member');
    const key = record?.state === 'invited' ? record.invites.get(event.body.invite) : undefined;
    if (record === undefined || key === undefined) return refused('not-invited');
    if (!isInviteProven(event, key)) return refused('unproven');
    if (this.#isBeyondEnd(event)) return refused('removed');
    const { person } = event.header;
    if (event.type === 'decline') {
      this.book.put({ ...record, state: 'left', invites: new Map() });
      return ACCEPTED;
    }
    if (!this.certificates.names(event.header, record.jid)) return refused('unproven');
    if (this.book.joinedAs(person) !== undefined) return refused('already-a-member');
    this.book.put({ ...record, person, state: 'joined', invites: new Map(), span: { cuts: [] }, began: event.id });
    return ACCEPTED;
  }

  /** A person ends a device of theirs by another one. */
  #foldDeviceEnd(event: KnownEvent<'device-end'>, standing: Standing): Verdict {
    const { device, last } = event.body;
    const { person } = event.header;
    if (device === event.header.device) return refused('not-allowed');
    if (!this.certificates.of(device).some((entry) => entry.header.person === person)) return refused('no-such-member');
    const lastAccepted = last === null ? [] : [{ device, ...last }];
    const position = this.#positionOf(event);
    const cut = drawCut({ position, role: null, isStrict: true, lastAccepted }, this.#input.byId);
    this.#deviceCuts.set(device, [...(this.#deviceCuts.get(device) ?? []), cut]);
    this.ended.set(device, person);
    this.#acts.push({ event, needs: RANK.viewer, span: standing.record.span });
    this.#voidActs(event, (act) => act.event.header.device === device);
    this.ends.push(position);
    return ACCEPTED;
  }

  /** The person goes on under another address, with all that they were under the one before. */
  #foldMoved(event: KnownEvent<'moved'>, standing: Standing): Verdict {
    const { from, to } = event.body;
    const record = this.#ofNow(standing);
    if (record === undefined || from !== standing.record.jid) return refused('not-a-member');
    if (!this.certificates.names(event.header, to)) return refused('unproven');
    if (!this.book.isFree(to, event.header.person)) return refused('already-a-member');
    this.#acts.push({ event, needs: RANK.viewer, span: record.span });
    this.#decisions.move(record.jid, to);
    this.book.move(record, to);
    return ACCEPTED;
  }

  #isBeyondEnd(event: SignedEvent): boolean {
    return (this.#deviceCuts.get(event.header.device) ?? []).some((cut) => isBeyond(cut, event));
  }

  #foldLeave(event: KnownEvent<'leave'>, standing: Standing): Verdict {
    const record = this.#ofNow(standing);
    // The owner hands the sphere over first, also who took it by another computer without this one knowing of it.
    if (standing.rank === RANK.owner || record?.role === 'owner') return refused('not-allowed');
    if (record === undefined) return refused('not-a-member');
    const { device, sequence } = event.header;
    this.book.put({ ...record, state: 'left' });
    this.#cut(event, record.span, {
      role: null,
      isStrict: false,
      lastAccepted: [{ device, sequence, hash: event.id }],
    });
    this.ends.push(this.#positionOf(event));
    return ACCEPTED;
  }

  #foldRemove(event: KnownEvent<'remove'>, standing: Standing): Verdict {
    const { person, lastAccepted } = event.body;
    const record = this.book.at(event.body.jid, person);
    if (record === undefined || record.state === 'removed') return refused('no-such-member');
    if (person !== null && person !== record.person) return refused('no-such-member');
    const decision = this.#decision(event, standing, record.jid);
    const needs = RANK[record.role] + 1;
    const obstacle = this.#decide(standing, decision, needs);
    if (obstacle !== null) return obstacle;
    this.#note(event, standing, decision, needs);
    this.book.put({ ...record, state: 'removed', invites: new Map(), removal: { id: event.id, from: record.state } });
    // A device that never heard of a leave still speaks from the time before it.
    for (const span of this.book.spans(record)) this.#cut(event, span, { role: null, isStrict: true, lastAccepted });
    this.ends.push(this.#positionOf(event));
    return ACCEPTED;
  }

  #foldRole(event: KnownEvent<'role'>, standing: Standing): Verdict {
    const { role, lastAccepted } = event.body;
    const record = this.book.at(event.body.jid);
    const decision = this.#decision(event, standing, record?.jid ?? event.body.jid);
    const state = record && this.#stateFor(decision, record);
    if (record === undefined || (state !== 'joined' && state !== 'invited')) return refused('no-such-member');
    const needs = Math.max(RANK[record.role], RANK[role]) + 1;
    const obstacle = this.#decide(standing, decision, needs);
    if (obstacle !== null) return obstacle;
    this.#note(event, standing, decision, needs);
    this.book.put({ ...record, role });
    if (RANK[role] < RANK[record.role]) this.#cut(event, record.span, { role, isStrict: true, lastAccepted });
    return ACCEPTED;
  }

  /** What is said about the ownership falls with the right to say it. */
  #foldWord(
    event: KnownEvent<'handover' | 'succession'>,
    { record: { span } }: Standing,
    obstacle: RefusalReason | null,
  ): Verdict {
    const needs = event.type === 'handover' ? RANK.owner : RANK.admin;
    if (obstacle === null) this.#acts.push({ event, needs, span });
    return judged(obstacle);
  }

  /** Whoever still has the owner's key is the owner, whatever was decided without them and whenever they say so. */
  #foldObject(event: KnownEvent<'object'>): Verdict {
    if (this.ended.has(event.header.device)) return refused('removed');
    const votes = this.ownership.object(event);
    if (votes === null) return refused('not-allowed');
    // Also those that would come into force only once the others do not.
    for (const id of votes.flatMap((vote) => this.#input.successions.get(vote) ?? [])) {
      if (this.#input.order.isBefore(id, event.id)) this.#voids.add(id, 'overruled', event.id);
    }
    return ACCEPTED;
  }

  #foldNewOwner(event: KnownEvent<'accept' | 'succeed'>, standing: Standing): Verdict {
    if (this.#voids.isSpent(event)) return refused('overruled');
    const owner = this.book.owner();
    const next = this.#ofNow(standing);
    if (owner === undefined || next === undefined) return refused('not-a-member');
    const role = this.ownership.take(event, this.#moving(standing));
    if (role !== 'admin' && role !== 'member') return refused(role);
    this.book.put({ ...owner, role });
    this.book.put({ ...next, role: 'owner' });
    this.#acts.push({ event, needs: RANK.viewer, span: next.span });
    if (event.type === 'accept' && owner.person !== null) this.#offers.note(event, owner.person);
    this.#cut(event, owner.span, { role, isStrict: true, lastAccepted: event.body.lastAccepted });
    return ACCEPTED;
  }

  #moving({ rank }: Standing): Moving {
    return { owner: this.book.owner()?.person ?? null, rank, members: [...this.book.members.values()] };
  }

  /** The author's record as it is now, if it is still that of the membership they spoke in. */
  #ofNow({ record: { person, span } }: Standing): MemberRecord | undefined {
    const record = person === null ? undefined : this.book.joinedAs(person);
    return record?.span === span ? record : undefined;
  }

  /** A removal that this decision overrules does not stand in its way. */
  #stateFor(decision: Decision, record: MemberRecord): MemberState {
    const weighed = this.#decisions.weigh(decision);
    const { removal } = record;
    const isOverruled = removal !== null && weighed.kind === 'stands' && weighed.voids.includes(removal.id);
    return record.state === 'removed' && isOverruled ? removal.from : record.state;
  }

  #decision(event: KnownEvent<Decision['kind']>, standing: Standing, jid: BareJid): Decision {
    const { order } = this.#input;
    const position = this.#positionOf(event);
    return { id: event.id, jid, kind: event.type, rank: standing.rank, position, seen: order.seen(event.id) };
  }

  /** Whether the author may decide this, and no stronger decision was taken at the same time; null = go on. */
  #decide(standing: Standing, decision: Decision, needs: number): Verdict | null {
    if (standing.rank < Math.max(RANK.admin, needs)) return refused('not-allowed');
    const weighed = this.#decisions.weigh(decision);
    if (weighed.kind === 'overruled') return refused('overruled');
    this.#decided.add(decision.id);
    for (const id of weighed.voids) this.#voids.add(id, 'overruled', decision.id);
    return null;
  }

  #note(event: SignedEvent, standing: Standing, decision: Decision, needs: number): void {
    this.#decisions.add(decision);
    this.#acts.push({ event, needs: Math.max(RANK.admin, needs), span: standing.record.span });
  }

  /** A cut reaches back: what the member decided beyond it, and was folded already, becomes void. */
  #cut(event: SignedEvent, span: Span | null, line: CutLine): void {
    if (span === null) return;
    span.cuts.push(drawCut({ position: this.#positionOf(event), ...line }, this.#input.byId));
    this.#voidActs(event, (act) => act.span === span);
  }

  #voidActs({ id }: SignedEvent, isConcerned: (act: Act) => boolean): void {
    for (const act of this.#acts) {
      if (!isConcerned(act)) continue;
      const standing = this.standing(act.event);
      if (typeof standing === 'string') this.#voids.add(act.event.id, standing, id);
      else if (standing.rank < act.needs) this.#voids.add(act.event.id, 'not-allowed', id);
    }
  }

  #take(event: SignedEvent): void {
    this.joined.note(this.#positionOf(event), this.book.members);
    this.newest = event.id;
  }

  #positionOf(event: SignedEvent): number {
    return this.#input.order.position(event.id) ?? -1;
  }
}
