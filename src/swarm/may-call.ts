import { isLinkLocal, isLoopback, mayBeDevice } from '../base/ip-address.ts';
import { parseEndpoint } from '../torrent/endpoint.ts';

export type MayCall = (endpoint: string) => boolean;

/**
 * Whether an endpoint that somebody named may be called: what others say must not lead to services of this very
 * machine. Who listens on loopback alone has everybody there.
 */
export function mayCallFrom(listening: readonly string[]): MayCall {
  const isOnLoopback = listening.length > 0 && listening.every(isLoopback);
  return (endpoint) => {
    const host = parseEndpoint(endpoint)?.host;
    return host !== undefined && (mayBeDevice(host) || (isOnLoopback && isLoopback(host)));
  };
}

/** The same for whoever was heard in the own network, where addresses of one link mean something. */
export function mayCallNear(endpoint: string, mayCall: MayCall): boolean {
  return mayCall(endpoint) || isLinkLocal(parseEndpoint(endpoint)?.host ?? '');
}
