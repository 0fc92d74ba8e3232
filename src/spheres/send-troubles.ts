import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { BareJid } from '../base/id.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import type { QueuedEntry } from '../storage/outbox-table.ts';

/** `fault`: the same may go through later. `refusal`: it was understood and is not wanted. `silence`: a room says nothing of it. */
export type TroubleKind = 'fault' | 'refusal' | 'silence';

interface Trouble {
  readonly kind: TroubleKind;
  readonly to: BareJid;
  readonly tries: number;
  /** By the monotonic clock, as all times here. */
  readonly sinceMs: number;
  readonly asideUntilMs: number;
}

/** So long an entry holds up those after it, for the sake of their order: what is wrong is rarely wrong with it alone. */
const HOLDS_MS: Readonly<Record<TroubleKind, number>> = { fault: 30 * 60_000, refusal: 60_000, silence: 60_000 };
/** Whoever is on for a short while at a time must not wait for one line for ever. */
const MAX_HELD_TRIES = 30;
/** Each attempt uses up keys of all who are to read it: whatever happens meanwhile, none is made before. */
const RETRY = { baseMs: 2_000, maxMs: 60_000 };
const RETRY_ASIDE = { baseMs: 60_000, maxMs: 600_000 };
/** So long a room that swallows lines is left alone between two attempts: while one waits for its word, all that is to be sent does. */
const SILENT_MS = 120_000;
/** Who says no so often, and for so long, says it for good. */
const REFUSED = { tries: 5, forMs: 10 * 60_000 };

/**
 * Entries that are answered with errors. After a while one stands aside: it is tried more rarely and lets the others pass.
 * What is refused again and again is told so; a fault, however long it lasts, is not.
 */
export class SendTroubles {
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #troubles = new Map<number, Trouble>();
  /** Destinations that fail: how often in a row, and until when nothing is tried. */
  readonly #faults = new Map<BareJid, { readonly tries: number; readonly untilMs: number }>();

  constructor(deps: { readonly clock: Clock; readonly random: RandomBytes }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
  }

  /** An attempt was answered with an error; what becomes of the entry. */
  note({ id, to, attempts }: QueuedEntry, kind: TroubleKind): 'held' | 'aside' | 'refused' {
    if (kind === 'fault') this.#noteFault(to);
    const nowMs = this.#clock.monotonic();
    const known = this.#troubles.get(id);
    const before = known?.kind === kind ? known : { tries: 0, sinceMs: nowMs };
    const tries = before.tries + 1;
    const lastedMs = nowMs - before.sinceMs;
    const isOld = attempts >= MAX_HELD_TRIES && tries >= REFUSED.tries;
    const isAside = lastedMs >= HOLDS_MS[kind] || isOld;
    const waitMs = backoffDelay(Math.max(0, tries - REFUSED.tries), RETRY_ASIDE, () => randomFraction(this.#random));
    this.#troubles.set(id, { kind, to, tries, sinceMs: before.sinceMs, asideUntilMs: isAside ? nowMs + waitMs : 0 });
    if (isAside && kind === 'fault') this.#postpone(to, nowMs + waitMs);
    if (isAside && kind === 'silence') this.#spaceOut(to, id, nowMs);
    if (kind === 'refusal' && tries >= REFUSED.tries && lastedMs >= REFUSED.forMs) return 'refused';
    return isAside ? 'aside' : 'held';
  }

  /** It is given up: its author decides. */
  forget(id: number): void {
    this.#troubles.delete(id);
  }

  /** What has left the queue, or was taken back, is no trouble for those that wait. */
  keepOnly(queue: readonly QueuedEntry[]): void {
    const queued = new Set(queue.map(({ id }) => id));
    for (const id of this.#troubles.keys()) if (!queued.has(id)) this.#troubles.delete(id);
  }

  /** When an entry that stands aside is tried again; 0 for any other one. */
  asideUntil(id: number): number {
    return this.#troubles.get(id)?.asideUntilMs ?? 0;
  }

  /** Until when a destination that failed is left alone, whatever happens meanwhile; 0 while it does not fail. */
  heldUntil(to: BareJid): number {
    return this.#faults.get(to)?.untilMs ?? 0;
  }

  /** When the next one that a destination fails with is tried again: as rarely those after it need be. 0 while there is none. */
  failsUntil(to: BareJid): number {
    return Math.max(0, ...this.#failing(to).map(([, { asideUntilMs }]) => asideUntilMs));
  }

  /** A destination took this one: it may take what stood aside too. Whether there is any of that. */
  sent({ id, to }: QueuedEntry): boolean {
    const wasSilent = this.#troubles.get(id)?.kind === 'silence';
    this.#troubles.delete(id);
    this.#faults.delete(to);
    // What is swallowed while others go through has all of them wait for the room's word at each attempt.
    return this.#tryAgain((one) => one.to === to && (one.kind !== 'silence' || wasSilent));
  }

  /** All of them. */
  tryAgain(): void {
    this.#tryAgain(() => true);
  }

  #tryAgain(isMeant: (one: Trouble) => boolean): boolean {
    const aside = [...this.#troubles].filter(([, one]) => one.asideUntilMs > 0 && isMeant(one));
    for (const [id, one] of aside) this.#troubles.set(id, { ...one, asideUntilMs: 0 });
    return aside.length > 0;
  }

  #noteFault(to: BareJid): void {
    const tries = (this.#faults.get(to)?.tries ?? 0) + 1;
    const waitMs = backoffDelay(tries - 1, RETRY, () => randomFraction(this.#random));
    this.#faults.set(to, { tries, untilMs: this.#clock.monotonic() + waitMs });
  }

  /** In turns: whichever was just tried comes after the others. */
  #spaceOut(to: BareJid, tried: number, nowMs: number): void {
    const aside = [...this.#troubles].filter(
      ([, one]) => one.kind === 'silence' && one.to === to && one.asideUntilMs > 0,
    );
    aside.sort(
      ([a, one], [b, other]) => Number(a === tried) - Number(b === tried) || one.asideUntilMs - other.asideUntilMs,
    );
    let nextMs = nowMs + SILENT_MS;
    for (const [id, one] of aside) {
      this.#troubles.set(id, { ...one, asideUntilMs: Math.max(one.asideUntilMs, nextMs) });
      nextMs = Math.max(one.asideUntilMs, nextMs) + SILENT_MS;
    }
  }

  /** One attempt at a time tells whether the destination is well again. */
  #postpone(to: BareJid, untilMs: number): void {
    for (const [id, one] of this.#failing(to)) this.#troubles.set(id, { ...one, asideUntilMs: untilMs });
  }

  #failing(to: BareJid): (readonly [number, Trouble])[] {
    return [...this.#troubles].filter(([, one]) => one.kind === 'fault' && one.to === to && one.asideUntilMs > 0);
  }
}
