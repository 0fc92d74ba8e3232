import type { BareJid } from '../base/id.ts';
import { type Element, xml } from './element.ts';
import { ephemeralElement, type EphemeralPart, sealedElement, type SealedPart } from './sealed.ts';
import { directInvitation } from './xep/0249-direct-invitation.ts';
import { hint } from './xep/0334-hints.ts';
import { originId } from './xep/0359-stanza-ids.ts';
import { encryptionTag } from './xep/0380-eme.ts';
import { NS_OMEMO, omemoElement, type OmemoMessage } from './xep/0384-omemo.ts';

/** What a client without OMEMO shows in place of the text. */
const FALLBACK = "I sent you an OMEMO encrypted message but your client doesn't seem to support that.";

interface EncryptedMessage {
  readonly to: BareJid;
  readonly type: 'groupchat' | 'chat';
  readonly id: string;
  readonly omemo: OmemoMessage;
  readonly sealed?: SealedPart | undefined;
  /** Whether there is a text for people; without one ordinary clients show nothing. */
  readonly hasLine: boolean;
  readonly invitesTo?: BareJid | undefined;
  /** What else stands beside it, in the clear. */
  readonly beside?: readonly Element[] | undefined;
}

/** A message that servers keep: OMEMO for every client, with our sealed part beside it. */
export function encryptedMessage(message: EncryptedMessage): Element {
  const { to, type, id, omemo, sealed, hasLine, invitesTo, beside = [] } = message;
  return xml(
    'message',
    { to, type, id },
    omemoElement(omemo),
    sealed === undefined ? undefined : sealedElement(sealed),
    invitesTo === undefined ? undefined : directInvitation(invitesTo),
    encryptionTag(NS_OMEMO, 'OMEMO'),
    hint('store'),
    originId(id),
    hasLine ? xml('body', {}, FALLBACK) : undefined,
    ...beside,
  );
}

/** A message that nobody keeps and no other client shows. */
export function ephemeralMessage(message: {
  readonly to: string;
  readonly type: 'groupchat' | 'chat';
  readonly id: string;
  readonly ephemeral: EphemeralPart;
}): Element {
  const { to, type, id, ephemeral } = message;
  const hints = [hint('no-store'), hint('no-copy')];
  return xml('message', { to, type, id }, ephemeralElement(ephemeral), ...hints);
}
