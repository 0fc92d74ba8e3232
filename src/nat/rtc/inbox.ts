import { AppError } from '../../base/errors.ts';
import type { ReceiveBudget } from './receive-budget.ts';
import { FIRST_CREDIT, MESSAGE_COST } from './stream-messages.ts';

/** What one stream may have under way and unread at most; at 50 ms of way it carries 300 Mbit/s. */
const MOST_WINDOW = 2 * 2 ** 20;

/** What has arrived and was not read yet. The library itself never makes a sender wait, so credit does. */
export class Inbox {
  readonly #budget: ReceiveBudget;
  readonly #grant: (amount: number) => void;
  readonly #messages: Uint8Array[] = [];
  /** Unread and still expected, at most. */
  #window = FIRST_CREDIT;
  /** What the other side may still send. */
  #open = FIRST_CREDIT;
  /** Read, and not granted again yet. */
  #owed = 0;

  constructor(deps: { budget: ReceiveBudget; grant: (amount: number) => void }) {
    this.#budget = deps.budget;
    this.#grant = deps.grant;
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** Fails with `bad-input` when the sender had no credit for it. */
  put(bytes: Uint8Array): void {
    const cost = bytes.length + MESSAGE_COST;
    if (bytes.length === 0 || cost > this.#open) throw new AppError('bad-input', 'more was sent than granted');
    this.#open -= cost;
    this.#messages.push(bytes);
  }

  /** The oldest message; taking it lets the sender go on. */
  take(): Uint8Array | undefined {
    const bytes = this.#messages.shift();
    if (bytes === undefined) return undefined;
    this.#owed += bytes.length + MESSAGE_COST;
    if (this.#owed >= this.#window / 4) this.#grantAgain();
    return bytes;
  }

  /** A reader that keeps up gets a window twice as large, as long as the budget allows. */
  #grantAgain(): void {
    const more = this.#window < MOST_WINDOW && this.#budget.take(this.#window) ? this.#window : 0;
    this.#window += more;
    const amount = this.#owed + more;
    this.#open += amount;
    this.#owed = 0;
    this.#grant(amount);
  }

  /** Forgets everything; called once. */
  clear(): void {
    this.#messages.length = 0;
    this.#budget.giveBack(this.#window - FIRST_CREDIT);
    this.#window = FIRST_CREDIT;
  }
}
