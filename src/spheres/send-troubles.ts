import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { BareJid } from '../base/id.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import type { QueuedEntry } from '../storage/outbox-table.ts';

/** `fault`: the same may go through later. `refusal`: it was understood and is not wanted. */
export type TroubleKind = 'fault' | 'refusal';

interface Trouble {
  readonly kind: TroubleKind;
  readonly to: BareJid;
  readonly tries: number;
  /** By the monotonic clock, as all times here. */
  readonly sinceMs: number;
  readonly asideUntilMs: number;
}

/** So long an entry holds up those after it, for the sake of their order: what is wrong is rarely wrong with it alone. */
const HOLDS_MS: Readonly<Record<TroubleKind, number>> = { fault: 30 * 60_000, refusal: 60_000 };
/** Each attempt uses up keys of all who are to read it. */
const RETRY_ASIDE = { baseMs: 60_000, maxMs: 600_000 };
/** Who says no so often, and for so long, says it for good. */
const REFUSED = { tries: 5, forMs: 10 * 60_000 };

/**
 * Entries that are answered with errors. After a while one stands aside: it is tried more rarely and lets the others pass.
 * What is refused again and again is given up; a fault, however long it lasts, gives up nothing.
 */
export class SendTroubles {
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #troubles = new Map<number, Trouble>();

  constructor(deps: { readonly clock: Clock; readonly random: RandomBytes }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
  }

  /** An attempt was answered with an error; what becomes of the entry. */
  note({ id, to }: QueuedEntry, kind: TroubleKind): 'held' | 'aside' | 'hopeless' {
    const nowMs = this.#clock.monotonic();
    const known = this.#troubles.get(id);
    const before = known?.kind === kind ? known : { tries: 0, sinceMs: nowMs };
    const tries = before.tries + 1;
    const lastedMs = nowMs - before.sinceMs;
    if (kind === 'refusal' && tries >= REFUSED.tries && lastedMs >= REFUSED.forMs) {
      this.#troubles.delete(id);
      return 'hopeless';
    }
    const isAside = lastedMs >= HOLDS_MS[kind];
    const waitMs = backoffDelay(Math.max(0, tries - REFUSED.tries), RETRY_ASIDE, () => randomFraction(this.#random));
    this.#troubles.set(id, { kind, to, tries, sinceMs: before.sinceMs, asideUntilMs: isAside ? nowMs + waitMs : 0 });
    if (isAside && kind === 'fault') this.#postpone(to, nowMs + waitMs);
    return isAside ? 'aside' : 'held';
  }

  /** When an entry that stands aside is tried again; 0 for any other one. */
  asideUntil(id: number): number {
    return this.#troubles.get(id)?.asideUntilMs ?? 0;
  }

  /** When the next one that a destination fails with is tried again: as rarely those after it need be. 0 while there is none. */
  failsUntil(to: BareJid): number {
    return Math.max(0, ...this.#failing(to).map(([, { asideUntilMs }]) => asideUntilMs));
  }

  /** A destination took this one: it may take what stood aside too. Whether there is any of that. */
  sent({ id, to }: QueuedEntry): boolean {
    this.#troubles.delete(id);
    return this.tryAgain(to);
  }

  /** Of one destination, or all. */
  tryAgain(to?: BareJid): boolean {
    const aside = [...this.#troubles].filter(([, one]) => one.asideUntilMs > 0 && (to ?? one.to) === one.to);
    for (const [id, one] of aside) this.#troubles.set(id, { ...one, asideUntilMs: 0 });
    return aside.length > 0;
  }

  /** One attempt at a time tells whether the destination is well again. */
  #postpone(to: BareJid, untilMs: number): void {
    for (const [id, one] of this.#failing(to)) this.#troubles.set(id, { ...one, asideUntilMs: untilMs });
  }

  #failing(to: BareJid): (readonly [number, Trouble])[] {
    return [...this.#troubles].filter(([, one]) => one.kind === 'fault' && one.to === to && one.asideUntilMs > 0);
  }
}
