import { isLinkLocal } from './ip-address.ts';

/** What the system lists of an interface's addresses. */
interface InterfaceAddress {
  readonly address: string;
  /** Of an IPv6 address. */
  readonly scopeid?: number | undefined;
}

/** How the system names, for groups of IPv6, the interface that has these addresses. */
export function multicastInterface6(platform: string, name: string, addresses: readonly InterfaceAddress[]): string {
  if (platform !== 'win32') return `::%${name}`;
  // Windows knows interfaces by number, which only an address of the link tells; 0 leaves the choice to it.
  const number = addresses.find(({ address }) => address.includes(':') && isLinkLocal(address))?.scopeid ?? 0;
  return `::%${number}`;
}
