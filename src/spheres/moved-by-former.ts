import type { BareJid } from '../base/id.ts';
import { domainOf } from '../xmpp/jid.ts';
import type { Sphere } from './sphere.ts';

/**
 * Who brought the sphere to the server that it is on, and was removed since: whoever decides may not want to be there. null also
 * where that is our own server, or where we could not move it.
 */
export function movedByFormer(
  { log, state, role }: Sphere,
  own: BareJid,
): { readonly jid: BareJid; readonly server: string } | null {
  const { moved } = log;
  if (moved === null || (role !== 'owner' && role !== 'admin')) return null;
  const jid = state.accounts.get(moved.header.person);
  const server = domainOf(moved.body.room);
  const isOurs = `.${server}`.endsWith(`.${domainOf(own)}`);
  return jid === undefined || isOurs || state.members.get(jid)?.state !== 'removed' ? null : { jid, server };
}
