import { EPHEMERAL_NAMESPACE } from '../spheres/protocol/ephemeral.ts';
import { SEALED_NAMESPACE } from '../spheres/protocol/seal.ts';
import type { DiscoInfo } from '../xmpp/xep/0030-disco.ts';
import { DEVICE_LIST_NODE } from '../xmpp/xep/0384-omemo.ts';

/** What other clients may know about this one. */
export const ABILITIES: DiscoInfo = {
  identities: [{ category: 'client', type: 'pc', name: 'Spherecast' }],
  features: [
    'http://jabber.org/protocol/disco#info',
    'http://jabber.org/protocol/caps',
    'jabber:x:conference',
    `${DEVICE_LIST_NODE}+notify`,
    SEALED_NAMESPACE,
    EPHEMERAL_NAMESPACE,
  ],
};
