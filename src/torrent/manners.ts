// BEP 3: peer messages, BEP 6: Fast Extension, BEP 10: Extension Protocol
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import { RateLimit } from '../base/rate-limit.ts';

const BITFIELD = 5;
const HAVE_ALL = 14;
const HAVE_NONE = 15;
/**
 * BEP 6: exactly one of them, at the beginning; aria2 1.36 sends another bitfield in place of several pieces. Each makes us
 * count all pieces of the torrent anew.
 */
const DECLARATIONS: ReadonlySet<number> = new Set([BITFIELD, HAVE_ALL, HAVE_NONE]);
const DECLARATIONS_AT_ONCE = 100;
const DECLARATION_MS = 100;
/** Choke, unchoke, interested, not interested, extended: small to send, and each has us look at all requests anew. */
const TURNS: ReadonlySet<number> = new Set([0, 1, 2, 3, 20]);
/** Honest ones change their mind a few times a second at most. */
const TURNS_AT_ONCE = 500;
const TURN_MS = 50;
const REJECT = 16;
/** We ask for a few hundred blocks at once, and each seek takes such requests back. */
const REJECTS_AT_ONCE = 2000;
const REJECT_MS = 5;

/** Judges how often one peer may say what is cheap to say and dear to hear. */
export class Manners {
  readonly #turns: RateLimit;
  readonly #rejects: RateLimit;
  readonly #declarations: RateLimit;

  constructor(deps: { readonly clock: Clock }) {
    const { clock } = deps;
    this.#turns = new RateLimit({ burst: TURNS_AT_ONCE, intervalMs: TURN_MS, clock });
    this.#rejects = new RateLimit({ burst: REJECTS_AT_ONCE, intervalMs: REJECT_MS, clock });
    this.#declarations = new RateLimit({ burst: DECLARATIONS_AT_ONCE, intervalMs: DECLARATION_MS, clock });
  }

  /** Fails with `bad-input` when no honest peer sends a message of this id now. */
  check(id: number): void {
    if (DECLARATIONS.has(id) && !this.#declarations.take('')) {
      throw new AppError('bad-input', 'peer says too often what it has', { id });
    } else if (TURNS.has(id) && !this.#turns.take('')) {
      throw new AppError('bad-input', 'peer changes its mind too often', { id });
    } else if (id === REJECT && !this.#rejects.take('')) {
      throw new AppError('bad-input', 'peer rejects more than it was asked for', { id });
    }
  }
}
