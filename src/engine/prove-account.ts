import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { XmppClient } from '../xmpp/client.ts';
import { checkServer } from '../xmpp/features.ts';
import type { XmppLogin } from '../xmpp/login.ts';

interface ProveDeps {
  readonly login: XmppLogin;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** Signs in once: neither a wrong password nor a server that lacks what spheres need is found out too late. */
export async function proveAccount({ login, clock, random, log }: ProveDeps, signal: AbortSignal): Promise<void> {
  await using client = new XmppClient({ login, clock, random, log: log.child('new-account') });
  await client.connect(signal);
  await checkServer(client, signal);
}
