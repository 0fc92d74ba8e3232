import { networkInterfaces } from 'node:os';
import { isLinkLocal, isPublicAddress } from '../base/ip-address.ts';

/** The networks that this machine is in, each with its own address there, as `192.168.0.5/22`. */
export function ownNetworks(): string[] {
  return Object.values(networkInterfaces()).flatMap((entries) => entries?.flatMap(({ cidr }) => cidr ?? []) ?? []);
}

/** The IPv6 addresses of this machine that the world could reach if no firewall stood before them. */
export function publicAddresses6(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((entries) => entries ?? []);
  const usable = all.filter((entry) => entry.family === 'IPv6' && !entry.internal && isPublicAddress(entry.address));
  return usable.map((entry) => entry.address);
}

/** How the system names, for multicast, the interface that has this IPv6 address; undefined when none has. */
export function multicastInterface6(address: string): string | undefined {
  for (const [name, entries = []] of Object.entries(networkInterfaces())) {
    if (!entries.some((entry) => entry.address === address)) continue;
    // Windows knows interfaces by number.
    const link = entries.find((entry) => entry.family === 'IPv6' && isLinkLocal(entry.address));
    return process.platform === 'win32' ? `::%${link?.scopeid ?? 0}` : `::%${name}`;
  }
  return undefined;
}
