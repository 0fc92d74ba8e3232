/** The addresses of the laboratory. They exist in its namespaces only. */

/** A range that miniupnpd does not take for a reserved one. */
const WAN4 = '11.22.33';
/** A range nobody was given, which programs take for ordinary public addresses. */
const NET6 = '2c0f:f0f0:0';

export const DOMAIN = 'lab.test';
export const WAN_GATEWAY = `${WAN4}.1`;
export const WAN_GATEWAY6 = `${NET6}:1::1`;
export const SERVER_ADDRESS = `${WAN4}.10`;
/** The server's second address: XMPP over TLS on port 443, and another caller for probes. */
export const SERVER_ADDRESS_2 = `${WAN4}.11`;
export const SERVER_ADDRESS6 = `${NET6}:1::10`;

/** Where a home stands in the laboratory; `index` counts from 1. */
export interface HomeAddresses {
  /** The public address, of the router or of that at the provider. */
  readonly outside: string;
  readonly outside6: string;
  /** The network between the provider's router and the home's, from the range of RFC 6598. */
  readonly shared: { readonly provider: string; readonly home: string };
  readonly shared6: { readonly provider: string; readonly home: string };
  readonly router: string;
  readonly router6: string;
  readonly network: string;
  readonly network6: string;
  host(number: number): string;
  host6(number: number): string;
}

export function homeAddresses(index: number): HomeAddresses {
  const lan = `192.168.${10 + index}`;
  return {
    outside: `${WAN4}.${100 + index}`,
    outside6: `${NET6}:1::${100 + index}`,
    shared: { provider: `100.64.${index}.1`, home: `100.64.${index}.2` },
    shared6: { provider: `${NET6}:${100 + index}::1`, home: `${NET6}:${100 + index}::2` },
    router: `${lan}.1`,
    ...homeNetwork6(10 + index),
    network: `${lan}.0/24`,
    host: (number) => `${lan}.${10 + number}`,
  };
}

function homeNetwork6(number: number): Pick<HomeAddresses, 'router6' | 'network6' | 'host6'> {
  const lan6 = `${NET6}:${number}`;
  return { router6: `${lan6}::1`, network6: `${lan6}::/64`, host6: (host) => `${lan6}::${10 + host}` };
}

/** The same home behind another prefix of IPv6. */
export function nextPrefix(home: HomeAddresses): HomeAddresses {
  const number = Number(home.network6.split(':')[3]);
  return { ...home, ...homeNetwork6(number < 50 ? number + 50 : number - 50) };
}

/** Another public address for the home with this index, as a provider gives one after a reconnection. */
export function nextOutside(address: string): string {
  const last = Number(address.split('.')[3]);
  return `${WAN4}.${last < 150 ? last + 50 : last - 50}`;
}

export const HOSTS_FILE = `127.0.0.1 localhost
::1 localhost
${SERVER_ADDRESS} ${DOMAIN} rooms.${DOMAIN} turn.${DOMAIN}
${SERVER_ADDRESS_2} direct.${DOMAIN}
`;
