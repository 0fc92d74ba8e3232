import type { BareJid } from '../base/id.ts';

/** What people are called as long as neither we nor they gave them a name: the part of their address they chose. */
export function personName(jid: BareJid): string {
  const local = jid.slice(0, jid.indexOf('@'));
  return local.charAt(0).toUpperCase() + local.slice(1);
}
