// XEP-0380: Explicit Message Encryption, version 0.4.0
import { attr, child, type Element, xml } from '../element.ts';

export const NS_EME = 'urn:xmpp:eme:0';

/** Tells clients that cannot decrypt what the message is encrypted with. */
export function encryptionTag(namespace: string, name: string): Element {
  return xml('encryption', { xmlns: NS_EME, namespace, name });
}

/** The namespace of the encryption that the message claims to use. */
export function readEncryptionTag(message: Element): string | undefined {
  return attr(child(message, 'encryption', NS_EME), 'namespace');
}
