import { toHex } from '../../base/bytes.ts';
import type { BareJid, SphereId } from '../../base/id.ts';
import type { RandomBytes } from '../../base/random.ts';
import type { SpherePolicy } from './event-body.ts';
import type { Author, KnownEvent } from './event.ts';
import { buildEvent, sphereOf } from './event.ts';

const NONCE_BYTES = 16;

/** The first event of a new sphere. Its id is the sphere's id, its author's person key the owner's. */
export function foundSphere(
  deps: { readonly author: Author; readonly random: RandomBytes; readonly wallMs: number },
  sphere: {
    readonly name: string;
    readonly room: BareJid;
    readonly ownerJid: BareJid;
    readonly policy: SpherePolicy;
    readonly partner?: BareJid;
  },
): { readonly sphereId: SphereId; readonly event: KnownEvent<'genesis'> } {
  const header = { sphere: null, sequence: 0, previous: null, lamport: 0, wallMs: deps.wallMs, membership: null };
  const event = buildEvent(deps.author, header, 'genesis', { ...sphere, nonce: toHex(deps.random(NONCE_BYTES)) });
  return { sphereId: sphereOf(event), event };
}
