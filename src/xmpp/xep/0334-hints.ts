// XEP-0334: Message Processing Hints, version 0.4.0
import { child, type Element, xml } from '../element.ts';

export const NS_HINTS = 'urn:xmpp:hints';
export const HINTS = ['no-permanent-store', 'no-store', 'no-copy', 'store'] as const;
export type Hint = (typeof HINTS)[number];

export function hint(name: Hint): Element {
  return xml(name, { xmlns: NS_HINTS });
}

export function readHints(message: Element): readonly Hint[] {
  return HINTS.filter((name) => child(message, name, NS_HINTS) !== undefined);
}
