/**
 * Tells the person what happens. Standard output belongs to the program that is started, so this goes to standard error.
 * @param {string} line
 */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** @param {number} ms */
export function seconds(ms) {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}

/** A failure that is told in one line, without a stack. */
export class Told extends Error {
  /**
   * @param {string} message
   * @param {number} [exitCode]
   */
  constructor(message, exitCode = 1) {
    super(message);
    this.name = 'Told';
    this.exitCode = exitCode;
  }
}

/** The person (or the machine) told us to end: nothing else is started. */
export class Interrupted extends Told {
  constructor() {
    super('Ended before everything ran.', 130);
    this.name = 'Interrupted';
  }
}
