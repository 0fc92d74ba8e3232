import { ownNetworks } from '../nat/local-addresses.ts';
import type { Scope } from '../base/scope.ts';
import type { EndpointExchange } from '../spheres/endpoint-exchange.ts';
import { systemResolve } from '../torrent/guarded-lookup.ts';
import type { XmppClient } from '../xmpp/client.ts';
import type { AccountSessionDeps } from './account-session-deps.ts';
import { IceServers } from './ice-servers.ts';
import { NetworkWatch } from './network-watch.ts';
import { watchForSleep } from './sleep-watch.ts';

interface ComputerDeps extends Pick<AccountSessionDeps, 'clock' | 'feed' | 'iceServers' | 'log'> {
  readonly client: XmppClient;
  readonly exchange: EndpointExchange;
  readonly scope: Scope;
  readonly stack: AsyncDisposableStack;
}

/** Its network, and its sleep: after that the connections of before are mostly dead, and the network may be another. */
export function watchComputer({ client, exchange, scope, stack, ...deps }: ComputerDeps): void {
  const { clock, feed, iceServers: configured, log } = deps;
  stack.use(new IceServers({ client, feed, configured, resolve: systemResolve, ownNetworks, scope, clock, log }));
  stack.use(new NetworkWatch({ client, exchange, feed, scope }));
  const onWake = (): void => {
    client.checkNow();
    scope.spawn('tell that the computer slept', () => feed.networkChanged());
  };
  scope.spawn('watch for sleep', (signal) => watchForSleep(clock, onWake, signal));
}
