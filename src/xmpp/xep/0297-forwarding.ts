// XEP-0297: Stanza Forwarding, version 1.0
import { child, type Element, NS_CLIENT } from '../element.ts';
import { readDelay } from './0203-delay.ts';

export const NS_FORWARD = 'urn:xmpp:forward:0';

export interface Forwarded {
  readonly message: Element;
  readonly delayMs: number | undefined;
}

/** The message wrapped in `parent`. Whoever sent the outer stanza vouches for all of it: check that one first. */
export function readForwarded(parent: Element | undefined): Forwarded | undefined {
  const forwarded = child(parent, 'forwarded', NS_FORWARD);
  const message = child(forwarded, 'message', NS_CLIENT);
  if (forwarded === undefined || message === undefined) return undefined;
  return { message, delayMs: readDelay(forwarded) };
}
