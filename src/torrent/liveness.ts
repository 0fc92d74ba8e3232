// Spherecast wire format, "Signs of life"
/** A second is the unit: seconds without a sign, seconds without a word. */
const SPEAK_AFTER = 1;
const SUSPECT_AFTER = 4;

/**
 * Whether the other end of a connection is still there: who got a message or waits for one says something every second,
 * so who hears nothing for four while waiting may doubt the connection. Counted in ticks, because a process
 * that was held up must not blame the network.
 */
export class Liveness {
  #awaits = false;
  #owes = false;
  #waited = 0;
  #quiet = 0;
  #isHeard = false;
  #hasGiven = false;
  #isQuestionDue = false;

  /** A keep-alive asks for no answer, or two idle ends would talk for ever. */
  sent(isKeepAlive: boolean): void {
    this.#quiet = 0;
    this.#owes = false;
    if (!isKeepAlive) this.#awaits = true;
  }

  /** As `sent`. What was heard since may have been said before the block arrived. */
  gave(): void {
    this.sent(false);
    this.#hasGiven = true;
  }

  /** Any bytes. */
  heard(): void {
    this.#isHeard = true;
    this.#awaits = false;
    this.#waited = 0;
  }

  /** A whole message, which is no keep-alive. */
  gotMessage(): void {
    this.#owes = true;
  }

  /** Once a second; `isWaiting` while blocks are owed in either direction. True when a keep-alive is due. */
  tick(isWaiting: boolean): boolean {
    this.#waited = this.#awaits || isWaiting ? this.#waited + 1 : 0;
    this.#quiet += 1;
    this.#isQuestionDue = this.#hasGiven && this.#waited === 0 && !this.#isHeard;
    if (this.#isQuestionDue) this.#hasGiven = false;
    this.#isHeard = false;
    return (this.#owes || isWaiting) && this.#quiet >= SPEAK_AFTER;
  }

  /** Blocks were given, and the other end says nothing any more without owing anything: it is asked once, by a message. */
  get isQuestionDue(): boolean {
    return this.#isQuestionDue;
  }

  get isSuspect(): boolean {
    return this.#waited >= SUSPECT_AFTER;
  }
}
