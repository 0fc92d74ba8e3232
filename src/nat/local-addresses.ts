import { networkInterfaces } from 'node:os';
import { isPublicAddress } from '../base/ip-address.ts';
import { multicastInterface6 } from '../base/multicast-interface.ts';

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
export function multicastInterfaceOf(address: string): string | undefined {
  const all = Object.entries(networkInterfaces());
  const found = all.find(([, entries = []]) => entries.some((entry) => entry.address === address));
  return found && multicastInterface6(process.platform, found[0], found[1] ?? []);
}
