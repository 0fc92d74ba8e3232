// XEP-0352: Client State Indication, version 1.0.1
import { type Element, xml } from '../element.ts';

export const NS_CLIENT_STATE = 'urn:xmpp:csi:0';

/** §4: whether somebody looks. A new stream, and a resumed one, counts as active until something else is said. */
export type ClientState = 'active' | 'inactive';

export function clientState(state: ClientState): Element {
  return xml(state, { xmlns: NS_CLIENT_STATE });
}
