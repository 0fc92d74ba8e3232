// XEP-0045: Multi-User Chat, version 1.35.3, §15.6.2
import { errorCode } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import { attr, type Element } from './element.ts';
import { AWAY } from './room-doubt.ts';
import type { RefusalReason } from './room-types.ts';
import { errorCondition, mayPass } from './stanza-error.ts';
import { type MucPresence, STATUS } from './xep/0045-muc.ts';
import { readDirectInvitation } from './xep/0249-direct-invitation.ts';

/** Whether this presence says that somebody is out because he has no right to be in the room any more. */
export function isExpelled({ isAvailable, statusCodes }: MucPresence): boolean {
  const codes: readonly number[] = [STATUS.banned, STATUS.affiliationLost, STATUS.membersOnly];
  return !isAvailable && codes.some((code) => statusCodes.includes(code));
}

/** Why we are out; undefined when the room would let us in again: after a kick, its shutdown or a fault. */
export function refusalReason(presence: MucPresence): RefusalReason | undefined {
  if (presence.isDestroyed) return 'destroyed';
  if (presence.statusCodes.includes(STATUS.banned)) return 'banned';
  return isExpelled(presence) ? 'not-a-member' : undefined;
}

/** Why an attempt to enter was refused; undefined when it failed for another reason. */
export function refusalOf(error: unknown): RefusalReason | undefined {
  // A service that restarts, or has too much to do, answers so of every room.
  if (AWAY.includes(errorCondition(error) ?? '') || mayPass(error)) return undefined;
  const code = errorCode(error);
  if (code === 'not-found') return 'destroyed';
  return code === 'not-a-member' || code === 'not-allowed' ? 'not-a-member' : undefined;
}

/**
 * Whether this may mean that the room lets us in again: an invitation, or a word of the room itself to somebody
 * outside (§7.8.2, §9.3). Anybody can write it, so it hastens the next attempt and nothing else.
 */
export function isNewsOfEntry(stanza: Element, room: BareJid): boolean {
  if (stanza.name !== 'message' || attr(stanza, 'type') === 'error') return false;
  return attr(stanza, 'from') === room || readDirectInvitation(stanza)?.room === room;
}
