// XEP-0203: Delayed Delivery, version 2.0
import { attr, children, type Element } from '../element.ts';
import { sameJid } from '../jid.ts';
import { parseDateTime } from './0082-datetime.ts';

export const NS_DELAY = 'urn:xmpp:delay';

/**
 * When the stanza was first sent, in milliseconds since the epoch, as `by` says. A stamp in anyone else's
 * name may be forged. Without `by`, any stamp counts: for elements that only a trusted archive can have put there.
 */
export function readDelay(parent: Element, by?: string): number | undefined {
  for (const delay of children(parent, 'delay', NS_DELAY)) {
    const from = attr(delay, 'from');
    if (by === undefined || (from !== undefined && sameJid(from, by))) return parseDateTime(attr(delay, 'stamp'));
  }
  return undefined;
}
