import type { BareJid, EventId, PersonId } from '../../base/id.ts';
import type { Certificates } from './certificates.ts';
import { drawCut, isBeyond } from './cut.ts';
import type { KnownEvent, SignedEvent } from './event.ts';
import type { MembershipInput } from './membership-input.ts';
import type { Voids } from './voids.ts';

interface ContestedOffersDeps {
  readonly input: MembershipInput;
  readonly voids: Voids;
  readonly certificates: Certificates;
}

interface Said {
  readonly event: SignedEvent;
}

interface Taker {
  readonly person: PersonId;
  /** The address that they have, or had last. */
  readonly account: BareJid | undefined;
}

/**
 * An owner takes back an offer, or removes whom they made it to, and these take it, and neither knew of the other. Both can be
 * dated back by a computer that nobody has heard of before, so no place in the log says which came first. What does is whether
 * the old owner ever named what followed from the acceptance: then it holds, or else their word does.
 */
export class ContestedOffers {
  readonly #deps: ContestedOffersDeps;
  readonly #taken: { readonly accept: KnownEvent<'accept'>; readonly from: PersonId }[] = [];

  constructor(deps: ContestedOffersDeps) {
    this.#deps = deps;
  }

  /** The sphere went from this person to its author. */
  note(accept: KnownEvent<'accept'>, from: PersonId): void {
    this.#taken.push({ accept, from });
  }

  /** What the old owner said against an acceptance that they knew of later, and did beyond its line, was never said. */
  uphold(accept: KnownEvent<'accept'>, acts: readonly Said[], account: BareJid | undefined): void {
    const { input, voids } = this.#deps;
    const { byId, order } = input;
    const taker = { person: accept.header.person, account };
    const offer = byId.get(accept.body.handover as EventId);
    if (offer?.type !== 'handover' || offer.body.person !== taker.person || voids.isSpent(accept)) return;
    const from = offer.header.person;
    const position = order.position(accept.id) ?? -1;
    const { lastAccepted } = accept.body;
    const line = drawCut({ position, role: 'admin', isStrict: true, lastAccepted }, byId);
    const against = acts
      .map(({ event }) => event)
      .filter((act) => {
        return act.header.person === from && act !== offer && isAgainst(act, taker) && isBeyond(line, act);
      });
    if (against.length === 0 || isBeyond(line, offer) || !this.#isAcknowledged(accept, from)) return;
    for (const { id } of against) voids.add(id, 'not-allowed', accept.id);
  }

  /** What was taken, and the owner never knew of, was not taken when the owner says that it is not to be. */
  refuse(word: KnownEvent<'remove' | 'handover'>, accountOf: (person: PersonId) => BareJid | undefined): void {
    for (const { accept, from } of this.#taken) {
      const { person } = accept.header;
      const isTheirs = word.header.person === from && isAgainst(word, { person, account: accountOf(person) });
      if (isTheirs && !this.#isAcknowledged(accept, from)) this.#deps.voids.add(accept.id, 'overruled', word.id);
    }
  }

  /** Whether that person has said anything that goes back to the event by what it names. */
  #isAcknowledged({ id }: SignedEvent, by: PersonId): boolean {
    const { input, certificates } = this.#deps;
    const devices = input.followers.of(id).get(by) ?? [];
    return [...devices].some((device) => certificates.of(device).some(({ header }) => header.person === by));
  }
}

function isAgainst(act: SignedEvent, { person, account }: Taker): boolean {
  if (act.type === 'handover') return act.body.person !== person;
  return act.type === 'remove' && (act.body.person === person || act.body.jid === account);
}
