import { EPHEMERAL_NAMESPACE } from '../spheres/protocol/ephemeral.ts';
import { SEALED_NAMESPACE } from '../spheres/protocol/seal.ts';
import type { DiscoInfo } from '../xmpp/xep/0030-disco.ts';
import { NS_CHAT_STATES } from '../xmpp/xep/0085-chat-states.ts';
import { NS_AVATAR_METADATA } from '../xmpp/xep/0084-avatar.ts';
import { NS_NICK } from '../xmpp/xep/0172-nickname.ts';
import { NS_PING } from '../xmpp/xep/0199-ping.ts';
import { NS_RECEIPTS } from '../xmpp/xep/0184-receipts.ts';
import { NS_CORRECTION } from '../xmpp/xep/0308-correction.ts';
import { NS_MARKERS } from '../xmpp/xep/0333-markers.ts';
import { DEVICE_LIST_NODE } from '../xmpp/xep/0384-omemo.ts';
import { NS_RETRACTION } from '../xmpp/xep/0424-retraction.ts';
import { NS_FALLBACK } from '../xmpp/xep/0428-fallback.ts';
import { NS_REACTIONS } from '../xmpp/xep/0444-reactions.ts';
import { NS_REPLY } from '../xmpp/xep/0461-replies.ts';

/** What other clients may know about this one. */
export const ABILITIES: DiscoInfo = {
  identities: [{ category: 'client', type: 'pc', name: 'Spherecast' }],
  features: [
    'http://jabber.org/protocol/disco#info',
    'http://jabber.org/protocol/caps',
    'jabber:x:conference',
    NS_PING,
    NS_CHAT_STATES,
    NS_RECEIPTS,
    NS_MARKERS,
    NS_CORRECTION,
    NS_RETRACTION,
    NS_REPLY,
    NS_FALLBACK,
    NS_REACTIONS,
    `${DEVICE_LIST_NODE}+notify`,
    `${NS_AVATAR_METADATA}+notify`,
    `${NS_NICK}+notify`,
    SEALED_NAMESPACE,
    EPHEMERAL_NAMESPACE,
  ],
};

/** Of each contact they are up to 1.7 kB in every session, which on a slow line takes longer than to sign in. */
const LATER = new Set([`${NS_AVATAR_METADATA}+notify`, `${NS_NICK}+notify`]);

/** What is announced until all that was missed is here. */
export const FIRST_ABILITIES: DiscoInfo = {
  ...ABILITIES,
  features: ABILITIES.features.filter((feature) => !LATER.has(feature)),
};
