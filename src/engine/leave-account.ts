import { AppError } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { OwnMove } from '../spheres/own-move.ts';
import type { XmppPort } from '../xmpp/port.ts';
import { publishMoved } from '../xmpp/xep/0283-moved.ts';
import type { AccountOnline } from './account-online.ts';

interface LeaveDeps {
  readonly session: {
    readonly client: XmppPort;
    readonly move: Pick<OwnMove, 'check' | 'say'>;
    readonly online: Pick<AccountOnline, 'readMail' | 'retire'>;
  };
  /** Sees that the new account works. */
  readonly prove: (signal: AbortSignal) => Promise<void>;
}

/**
 * While we are still at the old account: sees that the new one works, reads what lies at the old one, and tells everybody who can
 * be told here where we go. Nothing changes on this computer; it may be done again. `isLost`: the old account cannot be reached
 * any more, so that others hear it from the new one.
 */
export async function leaveAccount(
  { session, prove }: LeaveDeps,
  { to, isLost }: { readonly to: BareJid; readonly isLost: boolean },
  signal: AbortSignal,
): Promise<void> {
  session.move.check(to);
  if (!isLost && session.client.state.kind !== 'online') {
    throw new AppError('disconnected', 'the old account is not connected');
  }
  await prove(signal);
  if (!isLost) await session.online.readMail(signal);
  if (!isLost) await publishMoved(session.client, to, signal);
  await session.move.say(to, signal);
  if (!isLost) await session.online.retire(signal);
}
