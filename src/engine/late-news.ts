import type { Clock } from '../base/clock.ts';
import type { Scope } from '../base/scope.ts';
import type { Portraits } from '../people/portraits.ts';
import type { XmppPort } from '../xmpp/port.ts';
import { sendPresence } from '../xmpp/xep/0115-caps.ts';
import { ABILITIES } from './abilities.ts';

interface LateNewsDeps {
  readonly client: XmppPort;
  readonly people: { readonly portraits: Pick<Portraits, 'begin'> };
  readonly scope: Pick<Scope, 'spawn'>;
  readonly clock: Clock;
  /** Whether all that was missed in rooms is here. */
  readonly isRead: () => boolean;
  /** Which of the server's sessions this is; 0 = there was none yet. */
  readonly session: () => number;
}

/** On a slow line what was missed in rooms comes for some seconds after the session is set up: so long it is waited for. */
const PATIENCE_MS = 20_000;
const LOOK_MS = 1_000;

/** What people look like and call themselves is asked for last in each session. */
export class LateNews {
  readonly #deps: LateNewsDeps;
  #askedIn = 0;

  constructor(deps: LateNewsDeps) {
    this.#deps = deps;
  }

  /** Whenever a session is set up or goes on. */
  soon(): void {
    const { clock, client, people, scope, isRead } = this.#deps;
    const session = this.#deps.session();
    if (session === this.#askedIn) return;
    scope.spawn('hear of names and pictures', async (signal) => {
      for (let waitedMs = 0; waitedMs === 0 || (waitedMs < PATIENCE_MS && !isRead()); waitedMs += LOOK_MS)
        await clock.sleep(LOOK_MS, signal);
      const isDue = session === this.#deps.session() && session !== this.#askedIn;
      if (!isDue || client.state.kind !== 'online') return;
      this.#askedIn = session;
      people.portraits.begin();
      await sendPresence(client, ABILITIES);
    });
  }
}
