import type { BareJid, PersonId } from '../../base/id.ts';
import type { MemberRecord } from './member-record.ts';

type Joined = ReadonlyMap<PersonId, MemberRecord>;

/** Who was joined behind each place of the log. */
export class JoinedHistory {
  readonly #moments: { readonly position: number; readonly joined: Joined }[] = [];

  /** Places come in order. */
  note(position: number, members: ReadonlyMap<BareJid, MemberRecord>): void {
    const joined = new Map<PersonId, MemberRecord>();
    for (const record of members.values()) {
      if (record.state === 'joined' && record.person !== null) joined.set(record.person, record);
    }
    this.#moments.push({ position, joined });
  }

  /** A person's record as of that place; undefined when they were not there. */
  at(position: number, person: PersonId): MemberRecord | undefined {
    return this.#all(position)?.get(person);
  }

  /** Whether somebody with that role was there as of that place. */
  has(position: number, role: MemberRecord['role']): boolean {
    return [...(this.#all(position)?.values() ?? [])].some((record) => record.role === role);
  }

  #all(position: number): Joined | undefined {
    return this.#moments.findLast((moment) => moment.position <= position)?.joined;
  }
}
