// XEP-0077: In-Band Registration, version 2.4
import { AppError } from '../../base/errors.ts';
import { xml } from '../element.ts';
import { localPartOf } from '../jid.ts';
import type { XmppPort } from '../port.ts';
import { errorCondition } from '../stanza-error.ts';

export const NS_REGISTER = 'jabber:iq:register';

/** Gives our own account another password (§3.3). Rejects with `not-allowed` when the server does not let us. */
export async function changePassword(client: XmppPort, password: string, signal?: AbortSignal): Promise<void> {
  const fields = [xml('username', {}, localPartOf(client.jid)), xml('password', {}, password)];
  try {
    await client.iq('set', client.domain, xml('query', { xmlns: NS_REGISTER }, ...fields), signal);
  } catch (error) {
    throw refusal(error);
  }
}

/** Removes our own account from its server, for good (§3.2). Rejects with `not-allowed` when the server does not let us. */
export async function removeOwnAccount(client: XmppPort, signal?: AbortSignal): Promise<void> {
  try {
    await client.iq('set', undefined, xml('query', { xmlns: NS_REGISTER }, xml('remove')), signal);
  } catch (error) {
    // §3.2: a server may end the stream of an account that is no more before it answers.
    if (errorCondition(error) !== 'not-authorized') throw refusal(error);
  }
}

function refusal(error: unknown): unknown {
  const condition = errorCondition(error);
  if (condition === undefined) return error;
  return new AppError('not-allowed', 'the server does not let us change the account', { condition }, error);
}
