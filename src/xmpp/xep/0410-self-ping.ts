// XEP-0410: MUC Self-Ping (Schrödinger's Chat), version 1.1.0
import type { XmppPort } from '../port.ts';
import { errorCondition } from '../stanza-error.ts';
import { pingElement } from './0199-ping.ts';

export type Presence = 'inside' | 'outside' | 'unknown';

/** Asks whether the room still counts us as the occupant `occupant` (room/nick). */
export async function selfPing(client: XmppPort, occupant: string, signal?: AbortSignal): Promise<Presence> {
  try {
    await client.iq('get', occupant, pingElement(), signal);
    return 'inside';
  } catch (error) {
    signal?.throwIfAborted();
    // §3.3
    switch (errorCondition(error)) {
      case 'service-unavailable':
      case 'feature-not-implemented':
      case 'item-not-found':
        return 'inside';
      case undefined:
      case 'remote-server-not-found':
      case 'remote-server-timeout':
        return 'unknown';
      default:
        return 'outside';
    }
  }
}
