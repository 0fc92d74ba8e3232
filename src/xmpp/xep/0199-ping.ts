// XEP-0199: XMPP Ping, version 2.0.1
import { AppError } from '../../base/errors.ts';
import { type Element, xml } from '../element.ts';
import type { XmppPort } from '../port.ts';

export const NS_PING = 'urn:xmpp:ping';

export function pingElement(): Element {
  return xml('ping', { xmlns: NS_PING });
}

/**
 * Tells whoever asks that we are there, until disposed. §4.2: a refusal would tell the same.
 * `onPing` hears the full address of who asked.
 */
export function answerPing(client: Pick<XmppPort, 'handleIq'>, onPing?: (from: string) => void): Disposable {
  return client.handleIq('get', NS_PING, 'ping', ({ from }) => {
    onPing?.(from);
    return undefined;
  });
}

/** Resolves when `to` has answered. Any answer will do: a server without ping refuses (§4.2), and so proves that it is there. */
export async function ping(client: Pick<XmppPort, 'iq'>, to: string, signal?: AbortSignal): Promise<void> {
  try {
    await client.iq('get', to, pingElement(), signal);
  } catch (error) {
    const isAnswer = error instanceof AppError && error.details['condition'] !== undefined;
    if (!isAnswer) throw error;
  }
}
