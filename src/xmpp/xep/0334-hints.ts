// XEP-0334: Message Processing Hints, version 0.4.0
import { type Element, xml } from '../element.ts';

const NS_HINTS = 'urn:xmpp:hints';
type Hint = 'no-permanent-store' | 'no-store' | 'no-copy' | 'store';

export function hint(name: Hint): Element {
  return xml(name, { xmlns: NS_HINTS });
}
