import { AppError } from '../base/errors.ts';
import { errorCondition, mayPass } from './stanza-error.ts';

/** What is answered for a room that does not exist, or whose server cannot be reached: nothing is wrong with the message. */
const GONE = ['gone', 'item-not-found', 'remote-server-not-found', 'remote-server-timeout'];
/** What is answered for one that is not there just now. */
export const AWAY: readonly string[] = ['recipient-unavailable', 'service-unavailable'];
/** XEP-0045 §7.4: a message of somebody who is not in the room. Some servers say so of the message as well. */
const OUTSIDER = 'not-acceptable';

interface Doubt {
  readonly isInside: () => Promise<boolean>;
  readonly enterAgain: () => void;
}

/**
 * A room may have lost us without a word, in a crash of its server. Then what we send is not refused for good: it fails
 * with `disconnected`, and we come back. Of a room that is gone a ping says nothing (XEP-0410 §3.3): entering it does.
 * Until we are in nothing is encrypted: attempts without end would use up what every device's keys are good for.
 */
export async function unlessForgotten<T>(sent: Promise<T>, { isInside, enterAgain }: Doubt): Promise<T> {
  try {
    return await sent;
  } catch (error) {
    const condition = errorCondition(error) ?? '';
    if (![...GONE, ...AWAY, OUTSIDER].includes(condition)) {
      if (!isFault(error, condition)) throw error;
      throw new AppError('server-unreachable', 'the room failed', { condition }, error);
    }
    if (GONE.includes(condition)) enterAgain();
    else if ((await isInside()) && condition === OUTSIDER) throw error;
    throw new AppError('disconnected', 'the room does not know us', { condition }, error);
  }
}

/** RFC 6120 §8.3.2: `wait` says that the same message may go through later, and a fault of the server is none of the message. */
function isFault(error: unknown, condition: string): boolean {
  return condition === 'internal-server-error' || mayPass(error);
}
