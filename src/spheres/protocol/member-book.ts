import type { BareJid, PersonId } from '../../base/id.ts';
import { isAddressFree } from './is-address-free.ts';
import type { MemberRecord, Span } from './member-record.ts';
import { spansOf } from './member-record.ts';

/** Everyone who was ever invited, by the address they have now, as membership is folded. */
export class MemberBook {
  members: ReadonlyMap<BareJid, MemberRecord> = new Map();
  /** The account each person last joined with, or moved to. */
  readonly accounts = new Map<PersonId, BareJid>();
  /** Addresses that somebody had before in their membership, and who. */
  readonly moved = new Map<BareJid, PersonId>();

  readonly #spans = new Map<PersonId, Set<Span>>();

  put(record: MemberRecord): void {
    this.members = new Map([...this.members, [record.jid, record]]);
    const { person, span } = record;
    if (record.state !== 'joined' || person === null) return;
    this.accounts.set(person, record.jid);
    if (span !== null) this.#spans.set(person, new Set([...(this.#spans.get(person) ?? []), span]));
  }

  /** Whom a decision about an address concerns: whoever is there, else who has moved away from it. `named` = that person. */
  at(jid: BareJid, named: PersonId | null = null): MemberRecord | undefined {
    const record = this.members.get(jid);
    const person = this.moved.get(jid);
    // Whoever was asked there since is meant, also once they have gone.
    if (person === undefined || (record !== undefined && person !== named)) return record;
    const account = this.accounts.get(person);
    return account === undefined ? undefined : this.members.get(account);
  }

  /** All times of an account and of its person in the sphere, but for one that they are in by another account. */
  spans(record: MemberRecord): ReadonlySet<Span> {
    const { person } = record;
    const spans = new Set([...spansOf(record), ...((person === null ? null : this.#spans.get(person)) ?? [])]);
    const elsewhere = person === null ? undefined : this.joinedAs(person);
    if (elsewhere?.span && elsewhere.jid !== record.jid) spans.delete(elsewhere.span);
    return spans;
  }

  joinedAs(person: PersonId): MemberRecord | undefined {
    return [...this.members.values()].find((record) => record.state === 'joined' && record.person === person);
  }

  owner(): MemberRecord | undefined {
    return [...this.members.values()].find(({ role }) => role === 'owner');
  }

  isFree(jid: BareJid, person: PersonId): boolean {
    return isAddressFree(this.members.get(jid), person);
  }

  /** The record goes on under another address, in the place that it had. */
  move(record: MemberRecord, to: BareJid): void {
    const moved = { ...record, jid: to, pastSpans: [...spansOf(this.members.get(to)), ...record.pastSpans] };
    const others = [...this.members].filter(([jid]) => jid !== to);
    this.members = new Map(
      others.map(([jid, other]): [BareJid, MemberRecord] => (jid === record.jid ? [to, moved] : [jid, other])),
    );
    if (record.person === null) return;
    this.accounts.set(record.person, to);
    this.moved.set(record.jid, record.person);
    this.moved.delete(to);
  }

  activeCount(): number {
    return [...this.members.values()].filter(({ state }) => state === 'joined' || state === 'invited').length;
  }
}
