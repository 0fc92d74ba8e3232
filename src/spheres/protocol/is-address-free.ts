import type { PersonId } from '../../base/id.ts';
import type { MemberRecord } from './member-record.ts';

/** Whether a person may move to the address of this record: nobody else was ever asked there, unless they said no. */
export function isAddressFree(record: Pick<MemberRecord, 'state' | 'person'> | undefined, person: PersonId): boolean {
  if (record === undefined) return true;
  return record.state === 'left' && (record.person === null || record.person === person);
}
