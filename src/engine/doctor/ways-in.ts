import type { NetworkState } from '../../contract/swarm.ts';
import { isPublicAddress } from '../../base/ip-address.ts';

/** The best that is known of how others can call this computer. */
export interface WaysIn {
  /** Over IPv4: `unconfirmed` = the router says open, and nobody has tried it; `shared` = the router itself has no address that the world can reach. */
  readonly door: 'open' | 'unconfirmed' | 'not-needed' | 'searching' | 'closed' | 'shared' | 'lied' | 'not-asked';
  /** `guarded` = there is an address, and nothing shows that the router lets others in. */
  readonly ipv6: 'open' | 'guarded' | 'none';
}

export function waysIn(network: NetworkState): WaysIn {
  return { door: doorOf(network), ipv6: ipv6Of(network) };
}

/** Whether members far away can call this computer by themselves, as far as is known. */
export function isReachable(network: NetworkState): boolean {
  const { door, ipv6 } = waysIn(network);
  return door === 'open' || door === 'unconfirmed' || door === 'not-needed' || ipv6 === 'open';
}

function doorOf({ ports, interfaces }: NetworkState): WaysIn['door'] {
  const states = new Set(ports.filter(({ purpose }) => purpose === 'data').map(({ state }) => state));
  if (interfaces.some(({ address, family }) => family === 4 && isPublicAddress(address))) return 'not-needed';
  // One that a person forwarded may be an extra one, as 443.
  if (states.has('open') || ports.some(({ state, purpose }) => purpose === 'extra' && state === 'open')) return 'open';
  if (states.has('unconfirmed')) return 'unconfirmed';
  if (states.has('lied')) return 'lied';
  if (states.has('unreachable')) return 'shared';
  if (states.has('searching') || states.size === 0) return 'searching';
  return states.has('closed') ? 'closed' : 'not-asked';
}

function ipv6Of({ pinholes, interfaces, links }: NetworkState): WaysIn['ipv6'] {
  if (pinholes.some(({ open }) => open) || links.some(({ path }) => path === 'ipv6')) return 'open';
  return interfaces.some(({ address, family }) => family === 6 && isPublicAddress(address)) ? 'guarded' : 'none';
}
