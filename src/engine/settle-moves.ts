import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Scope } from '../base/scope.ts';
import { MovingIn } from '../people/moving-in.ts';
import type { People } from '../people/people.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import type { Storage } from '../storage/storage.ts';
import type { XmppPort } from '../xmpp/port.ts';
import { retractMoved } from '../xmpp/xep/0283-moved.ts';
import { offerMoves } from './offer-moves.ts';

interface SettleDeps {
  readonly client: XmppPort;
  readonly list: Pick<SphereList, 'all'>;
  readonly people: Pick<People, 'contacts' | 'blocked' | 'profile'>;
  readonly storage: Storage;
  readonly own: BareJid;
  readonly scope: Pick<Scope, 'spawn'>;
  readonly log: Logger;
}

/** What is still to be done after we, or people we know, have moved to another account. */
export async function settleMoves(deps: SettleDeps, signal: AbortSignal): Promise<void> {
  const { contacts, blocked } = deps.people;
  const moving = new MovingIn({ ...deps, contacts, blocked });
  if (moving.isDue) {
    // We may have left this account for another one before.
    await retractMoved(deps.client, signal);
    // Before the lists: once they are settled nobody thinks of it again.
    await publishProfile(deps, signal);
  }
  await moving.finish(signal);
  // Their servers may take their time, or be gone.
  deps.scope.spawn('offer who moved', (stop) => offerMoves(deps, stop));
}

/** A server that takes no names and pictures keeps nobody from the lists. */
async function publishProfile({ people, client, log }: SettleDeps, signal: AbortSignal): Promise<void> {
  try {
    await people.profile.publishAgain(signal);
  } catch (error) {
    signal.throwIfAborted();
    if (client.state.kind !== 'online') throw error;
    log.warn('name and picture not published at the new account', { error });
  }
}
