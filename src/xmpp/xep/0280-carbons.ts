// XEP-0280: Message Carbons, version 1.0.1
import { attr, child, type Element, xml } from '../element.ts';
import { splitJid } from '../jid.ts';
import type { XmppPort } from '../port.ts';
import { readForwarded } from './0297-forwarding.ts';

export const NS_CARBONS = 'urn:xmpp:carbons:2';

export interface Carbon {
  readonly direction: 'sent' | 'received';
  readonly message: Element;
}

/** The copy inside a message; undefined unless `own`, our bare address, sent it (§11). */
export function readCarbon(stanza: Element, own: string): Carbon | undefined {
  const from = splitJid(attr(stanza, 'from') ?? own);
  if (from.bare !== own || from.resource !== undefined) return undefined;
  for (const direction of ['sent', 'received'] as const) {
    const message = readForwarded(child(stanza, direction, NS_CARBONS))?.message;
    if (message !== undefined && concerns(message, direction, own)) return { direction, message };
  }
  return undefined;
}

/** A copy of what we sent comes from us, a copy of what we received is for us. */
function concerns(message: Element, direction: Carbon['direction'], own: string): boolean {
  const address = attr(message, direction === 'sent' ? 'from' : 'to');
  return address !== undefined && splitJid(address).bare === own;
}

/** Asks for copies of what our other devices send and receive; to be repeated in each new session. */
export async function enableCarbons(client: XmppPort, signal?: AbortSignal): Promise<void> {
  await client.iq('set', undefined, xml('enable', { xmlns: NS_CARBONS }), signal);
}
