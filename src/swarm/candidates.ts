import { networkInterfaces } from 'node:os';
import { isLinkLocal } from '../base/ip-address.ts';
import { formatEndpoint } from '../torrent/endpoint.ts';

/**
 * Addresses of this machine that members may reach, likeliest first: those we listen on, or all that are
 * neither loopback nor bound to one link.
 */
export function localAddresses(listening: readonly string[]): string[] {
  const wildcard = listening.every((address) => address === '::' || address === '0.0.0.0');
  if (!wildcard) return listening.filter((address) => address !== '::' && address !== '0.0.0.0');
  const all = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  const usable = all.filter((entry) => !entry.internal && !isLinkLocal(entry.address));
  return usable.toSorted((a, b) => a.family.localeCompare(b.family)).map((entry) => entry.address);
}

export function endpointsOn(addresses: readonly string[], port: number): string[] {
  return addresses.map((address) => formatEndpoint(address, port));
}

/** Whether a router can forward to one of the addresses we listen on; none = all. */
export function hearsRouter(listening: readonly string[]): boolean {
  return listening.length === 0 || listening.some((address) => address !== '::1' && !address.startsWith('127.'));
}
