import { errorCode } from '../base/errors.ts';
import { isInNetwork, isLoopback, isNearAddress, isNeighbour, mayBeDevice } from '../base/ip-address.ts';
import type { Logger } from '../base/log.ts';
import type { RecentMap } from '../base/recent-map.ts';
import type { Resolve } from '../torrent/guarded-lookup.ts';
import { allowedAddresses } from '../torrent/guarded-lookup.ts';
import type { ExternalService } from '../xmpp/xep/0215-external-services.ts';

interface AllowedDeps {
  /** Where the server that names the services was reached; undefined when that is not known. */
  readonly serverAddress: string | undefined;
  /** The networks that this machine is in, as `192.168.0.5/22`. */
  readonly ownNetworks: readonly string[];
  readonly resolve: Resolve;
  /** Where each name led last: it serves while nobody knows the name, as in the moment after a network has come back. */
  readonly lastKnown: RecentMap<string, string>;
  readonly log: Logger;
}

interface AllowedServices {
  readonly services: readonly ExternalService[];
  /** Names that nobody knew just now. */
  readonly unresolved: number;
}

/**
 * The services that may be asked, each at one address: the WebRTC library would look a name up again, and ask wherever
 * it leads by then.
 */
export async function allowedServices(
  named: readonly ExternalService[],
  { serverAddress = '', ownNetworks, resolve, lastKnown, log }: AllowedDeps,
  signal: AbortSignal,
): Promise<AllowedServices> {
  const isNear = (address: string): boolean =>
    isNearAddress(address) || ownNetworks.some((network) => isIn(address, network));
  const policy = (address: string): boolean => mayAsk(address, serverAddress, isNear);
  const services: ExternalService[] = [];
  let unresolved = 0;
  // One after the other: names that take long would hold all threads which the disk needs too.
  for (const service of named) {
    signal.throwIfAborted();
    const last = lastKnown.get(service.host);
    try {
      const addresses = await allowedAddresses(service.host, { policy, resolve });
      const [first] = addresses.toSorted((one, other) => one.family - other.family);
      // Of several the same as before: whoever uses it is not disturbed.
      const host = addresses.some(({ address }) => address === last) ? last : first?.address;
      if (host === undefined) continue;
      lastKnown.set(service.host, host);
      services.push({ ...service, host });
    } catch (error) {
      const code = errorCode(error);
      const isUnknown = code !== 'not-allowed';
      if (isUnknown) unresolved += 1;
      if (isUnknown && last !== undefined && policy(last)) services.push({ ...service, host: last });
      else log.info('a service of the server is left out', { code });
    }
  }
  return { services, unresolved };
}

/**
 * A server must not make us send to this machine, to the own network or to a group. One that lies there itself, as a
 * family's own, has its services there too.
 */
function mayAsk(address: string, serverAddress: string, isNear: (address: string) => boolean): boolean {
  if (isLoopback(address)) return isLoopback(serverAddress);
  return mayBeDevice(address) && (!isNear(address) || isNear(serverAddress));
}

/** With IPv6 a device's address may be given without its network. */
function isIn(address: string, network: string): boolean {
  const [own = ''] = network.split('/');
  return isInNetwork(address, network) || (own.includes(':') && isNeighbour(address, own));
}
