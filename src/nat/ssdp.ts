// UPnP Device Architecture 1.1: SSDP, section 1.3, and for IPv6 Annex A
import type { Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';

const SERVICES = 'urn:schemas-upnp-org:service';
const DEVICES = 'urn:schemas-upnp-org:device';
export const SEARCH_TARGETS: readonly string[] = [
  `${DEVICES}:InternetGatewayDevice:1`,
  `${DEVICES}:InternetGatewayDevice:2`,
  `${SERVICES}:WANIPConnection:1`,
  `${SERVICES}:WANIPConnection:2`,
  `${SERVICES}:WANPPPConnection:1`,
];
/** Multicast gets lost on wireless networks, so each search is sent three times. */
const ROUNDS_MS = [600, 900, 1_500];
const LONGEST_REPLY = 2_048;
const LONGEST_LOCATION = 512;

export interface SsdpSearch {
  readonly clock: Clock;
  /** The address of this machine in the network of the router. */
  readonly localAddress: string;
  /** How the system knows the interface to search on: its own address, or `::%eth0` for IPv6. */
  readonly multicastInterface: string;
  /** 239.255.255.250:1900, or [ff02::c]:1900. */
  readonly group: { readonly address: string; readonly port: number };
  /** Whether an address may be a router at all. */
  readonly mayAsk: (address: string) => boolean;
  readonly onLocation: (location: URL) => void;
}

/** Searches for UPnP routers for three seconds. */
export async function searchSsdp(search: SsdpSearch, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const socket = createSocket(isIPv6(search.localAddress) ? 'udp6' : 'udp4');
  const done = new AbortController();
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, search.localAddress, resolve);
    });
    const failed = new Promise<never>((_, reject) => socket.on('error', reject));
    socket.on('message', (packet, sender) => {
      const location = readReply(packet, sender.address, search.mayAsk);
      if (location !== undefined) search.onLocation(location);
    });
    await Promise.race([failed, send(socket, search, AbortSignal.any([signal, done.signal]))]);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new AppError('not-found', 'the network cannot be searched', {}, error);
  } finally {
    done.abort();
    socket.close();
  }
}

async function send(socket: Socket, search: SsdpSearch, signal: AbortSignal): Promise<void> {
  const { group, clock, multicastInterface } = search;
  socket.setMulticastTTL(2);
  // Otherwise a machine with several networks, real or virtual, may search in another one than the router's.
  socket.setMulticastInterface(multicastInterface);
  const host = isIPv6(group.address) ? `[${group.address}]` : group.address;
  for (const wait of ROUNDS_MS) {
    for (const target of SEARCH_TARGETS) {
      const lines = ['M-SEARCH * HTTP/1.1', `HOST: ${host}:${group.port}`, 'MAN: "ssdp:discover"', 'MX: 1'];
      const packet = [...lines, `ST: ${target}`, '', ''].join('\r\n');
      await new Promise<void>((resolve, reject) => {
        socket.send(packet, group.port, group.address, (error) => (error === null ? resolve() : reject(error)));
      });
    }
    await clock.sleep(wait, signal);
  }
}

/**
 * Where a device that answered a search describes itself. undefined unless it speaks for itself: plain HTTP on the
 * very address the answer came from, which lies in the home network.
 */
export function readReply(packet: Uint8Array, sender: string, mayAsk: (address: string) => boolean): URL | undefined {
  if (packet.length > LONGEST_REPLY) return undefined;
  const [status = '', ...lines] = Buffer.from(packet).toString('latin1').split(/\r?\n/);
  if (!/^HTTP\/1\.[01] 200\b/.test(status)) return undefined;
  const location = field(lines, 'location');
  if (!SEARCH_TARGETS.includes(field(lines, 'st')) || location.length > LONGEST_LOCATION) return undefined;
  const url = URL.parse(location);
  const host = isIPv6(sender) ? `[${sender}]` : sender;
  return url !== null && isOn(url, host) && mayAsk(sender) ? url : undefined;
}

/** Whether an address on the web is plain HTTP on this very host. */
export function isOn(url: URL, host: string): boolean {
  return url.protocol === 'http:' && url.hostname === host && url.username === '' && url.password === '';
}

function field(lines: readonly string[], name: string): string {
  const line = lines.find((text) => text.slice(0, name.length + 1).toLowerCase() === `${name}:`);
  return line?.slice(name.length + 1).trim() ?? '';
}
