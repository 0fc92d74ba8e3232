import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { XmppClient } from '../xmpp/client.ts';
import { checkServer } from '../xmpp/features.ts';
import type { XmppLogin } from '../xmpp/login.ts';
import { publishMoved } from '../xmpp/xep/0283-moved.ts';
import type { AccountSession } from './account-session.ts';

interface LeaveDeps {
  readonly session: AccountSession;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/**
 * While we are still at the old account: sees that the new one works, and tells everybody who can be told here where we go.
 * Nothing changes on this computer; it may be done again. `isLost`: the old account cannot be reached any more, so that others
 * hear it from the new one.
 */
export async function leaveAccount(
  deps: LeaveDeps,
  { login, isLost }: { readonly login: XmppLogin; readonly isLost: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { session } = deps;
  const to: BareJid = login.jid;
  session.move.check(to);
  if (!isLost && session.client.state.kind !== 'online') {
    throw new AppError('disconnected', 'the old account is not connected');
  }
  await prove(deps, login, signal);
  if (!isLost) await publishMoved(session.client, to, signal);
  await session.move.say(to, signal);
  if (!isLost) await session.online.retire(signal);
}

/** Signs in once: neither a wrong password nor a server that lacks what spheres need is found out too late. */
async function prove({ clock, random, log }: LeaveDeps, login: XmppLogin, signal: AbortSignal): Promise<void> {
  await using client = new XmppClient({ login, clock, random, log: log.child('new-account') });
  await client.connect(signal);
  await checkServer(client, signal);
}
