import type { BareJid } from '../base/id.ts';
import type { ContactRow } from '../storage/contact-table.ts';

/** What people are called as long as nobody gave them a nickname: the part of their address they chose. */
export function personName(jid: BareJid): string {
  const local = jid.slice(0, jid.indexOf('@'));
  return local.charAt(0).toUpperCase() + local.slice(1);
}

/** What to show: what we call them, else what they call themselves, else a part of their address. */
export function contactName({ jid, name, nick }: Pick<ContactRow, 'jid' | 'name' | 'nick'>): string {
  return name ?? nick ?? personName(jid);
}
