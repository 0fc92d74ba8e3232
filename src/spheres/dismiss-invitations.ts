import type { BareJid } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';

/** Invitations of somebody who is shut out wait no longer. They hear nothing of it. The ids of those that did. */
export function dismissInvitations({ invitations }: Pick<Storage, 'invitations'>, from: BareJid): readonly string[] {
  const theirs = invitations.list('open').filter((row) => row.from === from);
  for (const { id } of theirs) invitations.update(id, { state: 'declined' });
  return theirs.map(({ id }) => id);
}
