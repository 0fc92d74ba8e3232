// XEP-0352: Client State Indication, version 1.0.1
import type { Clock } from '../base/clock.ts';
import type { XmppPort } from '../xmpp/port.ts';
import type { ConnectionTraits } from '../xmpp/session.ts';
import type { ClientState } from '../xmpp/xep/0352-client-state.ts';
import { clientState } from '../xmpp/xep/0352-client-state.ts';
import type { Onlookers } from './onlookers.ts';

interface StateTellerDeps {
  readonly client: Pick<XmppPort, 'state' | 'onState' | 'send'> & {
    readonly connection: Pick<ConnectionTraits, 'heedsState'> | null;
  };
  readonly onlookers: Pick<Onlookers, 'isAnyone' | 'onChange' | 'quietMs'>;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
}

/** `awaited`: nobody looks any more, or another device wants something of us, and what follows must not wait. */
type Attention =
  | { readonly kind: 'looked-at' }
  | { readonly kind: 'awaited'; readonly untilMs: number }
  | { readonly kind: 'alone' };

/** Tells the server whether somebody looks, so that it holds back what can wait while nobody does. */
export class ClientStateTeller implements Disposable {
  readonly #deps: StateTellerDeps;
  readonly #stops: readonly (() => void)[];
  #attention: Attention = { kind: 'alone' };
  /** What counts at the server. */
  #told: ClientState = 'active';
  #isWaiting = false;

  constructor(deps: StateTellerDeps) {
    this.#deps = deps;
    if (deps.onlookers.isAnyone) this.#attention = { kind: 'looked-at' };
    this.#stops = [
      deps.onlookers.onChange.on(() => this.#look()),
      deps.client.onState.on((state) => {
        if (state.kind !== 'online') return;
        // §4.2: a stream begins as active, and so does one that is resumed.
        this.#told = 'active';
        if (!state.resumed) this.stir();
        this.#tell();
      }),
    ];
  }

  /** Another device wants something of us: what it says from now on is not held back for a while. */
  stir(): void {
    if (this.#attention.kind === 'looked-at') return;
    const { clock, onlookers } = this.#deps;
    this.#attention = { kind: 'awaited', untilMs: clock.monotonic() + onlookers.quietMs };
    this.#tell();
    this.#settleLater();
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
  }

  #look(): void {
    if (this.#deps.onlookers.isAnyone) {
      this.#attention = { kind: 'looked-at' };
      this.#tell();
    } else {
      this.#attention = { kind: 'alone' };
      this.stir();
    }
  }

  /** However often it is stirred or looked at meanwhile, one wait is under way. */
  #settleLater(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#deps.spawn('nobody looks', async (signal) => {
      const { clock } = this.#deps;
      while (this.#attention.kind === 'awaited') {
        const leftMs = this.#attention.untilMs - clock.monotonic();
        if (leftMs <= 0) this.#attention = { kind: 'alone' };
        else await clock.sleep(leftMs, signal);
      }
      this.#isWaiting = false;
      this.#tell();
    });
  }

  #tell(): void {
    const { client } = this.#deps;
    const wish: ClientState = this.#attention.kind === 'alone' ? 'inactive' : 'active';
    if (wish === this.#told || client.state.kind !== 'online' || client.connection?.heedsState !== true) return;
    this.#told = wish;
    // Over a connection that broke nothing counts any more: the next one begins as active.
    client.send(clientState(wish)).catch(() => undefined);
  }
}
