import type { BareJid } from '../base/id.ts';
import type { SphereState } from './protocol/sphere-state.ts';

/** With whom a sphere is ours alone; null for all others, and for good once anybody else was ever let in. */
export function partnerIn({ genesis, members }: SphereState, own: BareJid): BareJid | null {
  const pair = genesis?.pair ?? null;
  if (pair === null || pair.founder === pair.partner) return null;
  const both = [pair.founder, pair.partner];
  const isOurs = both.includes(own) && [...members.keys()].every((jid) => both.includes(jid));
  return isOurs ? (both.find((jid) => jid !== own) ?? null) : null;
}
