// XEP-0202: Entity Time, version 2.0
import type { Clock } from '../../base/clock.ts';
import { child, type Element, xml } from '../element.ts';
import type { XmppPort } from '../port.ts';
import { errorCondition } from '../stanza-error.ts';
import { parseDateTime } from './0082-datetime.ts';

const NS_TIME = 'urn:xmpp:time';

export interface ServerTime {
  readonly roundTripMs: number;
  /** How far our clock is ahead of the server's, negative when behind; null when the server tells no time. */
  readonly aheadMs: number | null;
}

/** Milliseconds since the epoch; undefined when the answer tells no time. */
export function readEntityTime(answer: Element): number | undefined {
  return parseDateTime(child(child(answer, 'time', NS_TIME), 'utc')?.getText());
}

/** Asks the account's server what time it is. Whatever it answers, the answer took its time. */
export async function askServerTime(client: XmppPort, clock: Clock, signal: AbortSignal): Promise<ServerTime> {
  const askedMs = clock.monotonic();
  const answer = await askTime(client, signal);
  const roundTripMs = Math.round(clock.monotonic() - askedMs);
  // The server looked at its clock about half way.
  return { roundTripMs, aheadMs: answer === undefined ? null : Math.round(clock.now() - roundTripMs / 2 - answer) };
}

async function askTime(client: XmppPort, signal: AbortSignal): Promise<number | undefined> {
  try {
    return readEntityTime(await client.iq('get', client.domain, xml('time', { xmlns: NS_TIME }), signal));
  } catch (error) {
    if (errorCondition(error) === undefined) throw error;
    return undefined;
  }
}
