// RFC 7064: URI Scheme for STUN; RFC 7065: URI Schemes for TURN
import { isIPv6 } from 'node:net';
import type { NativeIceServer } from './native-rtc.ts';

/** A server as XEP-0215 or a person names it. */
export interface IceServer {
  readonly urls: string | readonly string[];
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/** Why a server is of no use: the library asks over UDP only, and a relay lets nobody in without a name. */
export type IgnoredReason = 'not-udp' | 'malformed' | 'no-password';

export interface IceServerChoice {
  readonly usable: readonly NativeIceServer[];
  readonly ignored: readonly { readonly url: string; readonly reason: IgnoredReason }[];
}

const URL = /^(stuns?|turns?):(\[[0-9a-f:.]+\]|[0-9a-z.-]{1,253})(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/i;
const DEFAULT_PORT = 3_478;

/** Sorts out the servers that can be asked; no other server is ever asked. */
export function chooseIceServers(servers: readonly IceServer[]): IceServerChoice {
  const usable: NativeIceServer[] = [];
  const ignored: { url: string; reason: IgnoredReason }[] = [];
  for (const { urls, username, password } of servers) {
    for (const url of typeof urls === 'string' ? [urls] : urls) {
      const found = readServer(url, username, password);
      if (typeof found === 'string') ignored.push({ url, reason: found });
      else usable.push(found);
    }
  }
  return { usable, ignored };
}

function readServer(url: string, username = '', password = ''): NativeIceServer | IgnoredReason {
  const match = URL.exec(url);
  if (match === null) return 'malformed';
  const [, scheme = '', host = '', portText, transport = 'udp'] = match;
  const hostname = host.startsWith('[') ? host.slice(1, -1) : host;
  const port = portText === undefined ? DEFAULT_PORT : Number(portText);
  if (port < 1 || port > 65_535 || (host !== hostname && !isIPv6(hostname))) return 'malformed';
  // TURN and STUN over TLS run over TCP.
  if (scheme.toLowerCase().endsWith('s') || transport.toLowerCase() !== 'udp') return 'not-udp';
  if (scheme.toLowerCase() === 'stun') return { hostname, port };
  if (username === '' || password === '') return 'no-password';
  return { hostname, port, username, password, relayType: 'TurnUdp' };
}

/** The same for a connection that is of use only when it is direct: a relay answers STUN too (RFC 8656 §3). */
export function withoutRelays(servers: readonly IceServer[]): IceServer[] {
  const hosts = chooseIceServers(servers).usable.map(({ hostname, port }) => {
    return `stun:${isIPv6(hostname) ? `[${hostname}]` : hostname}:${port}`;
  });
  return [...new Set(hosts)].map((urls) => ({ urls }));
}
