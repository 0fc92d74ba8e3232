// XEP-0380: Explicit Message Encryption, version 0.4.0
import { type Element, xml } from '../element.ts';

const NS_EME = 'urn:xmpp:eme:0';

/** Tells clients that cannot decrypt what the message is encrypted with. */
export function encryptionTag(namespace: string, name: string): Element {
  return xml('encryption', { xmlns: NS_EME, namespace, name });
}
