import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { SingleRun } from '../spheres/single-run.ts';
import type { Storage } from '../storage/storage.ts';
import type { XmppPort } from '../xmpp/port.ts';
import { answerForSign, askForSign, fetchRun, publishRun } from '../xmpp/run-node.ts';
import type { OwnIdentity } from './own-identity.ts';

interface OwnRunDeps {
  readonly client: XmppPort;
  readonly omemo: { readonly deviceId: number };
  readonly storage: Storage;
  readonly identity: OwnIdentity;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** Sees to it, by the account's own nodes, that one program alone goes on with this device. */
export function openOwnRun(deps: OwnRunDeps, stack: AsyncDisposableStack): SingleRun {
  const { client, omemo, identity } = deps;
  const run = new SingleRun({
    ...{ ...deps, device: identity.device, log: deps.log.child('run') },
    place: {
      get address() {
        return client.fullJid;
      },
      read: (signal) => fetchRun(client, omemo.deviceId, signal),
      write: (bytes, signal) => publishRun(client, omemo.deviceId, bytes, signal),
      ask: (address, challenge, signal) => askForSign(client, address, challenge, signal),
    },
  });
  stack.use(answerForSign(client, (challenge) => run.sign(challenge)));
  return run;
}
