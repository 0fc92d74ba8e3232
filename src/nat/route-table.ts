import { isIPv4, isIPv6 } from 'node:net';
import { addressText, isLinkLocal } from '../base/ip-address.ts';

const UP_AND_GATEWAY = 0x3;

interface Route {
  readonly address: string;
  /** The lower one is preferred. */
  readonly metric: number;
}

/** The default gateways in /proc/net/route of Linux: little-endian hexadecimal addresses. */
export function parseProcRoute(text: string): string[] {
  const routes = rows(text).flatMap(([, destination, gateway = '', flags = '', , , metric = '', mask]) => {
    if (destination !== '00000000' || mask !== '00000000' || !/^[0-9A-F]{8}$/i.test(gateway)) return [];
    if (!isUpAndGateway(flags)) return [];
    return [{ address: bytesOf(gateway).toReversed().join('.'), metric: Number(metric) }];
  });
  return preferredFirst(routes);
}

/** The default gateways in /proc/net/ipv6_route of Linux: hexadecimal addresses and metrics. */
export function parseProcRoute6(text: string): string[] {
  const routes = rows(text).flatMap(([destination, length, , , hop = '', metric = '', , , flags = '', link = '']) => {
    if (destination !== '0'.repeat(32) || length !== '00' || !/^[0-9a-f]{32}$/i.test(hop)) return [];
    if (!isUpAndGateway(flags)) return [];
    const address = withLink(addressText(Uint8Array.from(bytesOf(hop))), link);
    return isIPv6(address) ? [{ address, metric: Number.parseInt(metric, 16) }] : [];
  });
  return preferredFirst(routes);
}

/** The default gateways in `netstat -rn -f inet` or `-f inet6` of macOS, which lists the preferred one first. */
export function parseMacRoutes(text: string): string[] {
  const found = rows(text).flatMap(([destination, gateway = '', flags = '']) => {
    if (destination !== 'default' || !flags.includes('G')) return [];
    // A tunnel without a gateway of its own is written as the empty address of its link.
    const isNone = gateway.startsWith('fe80::%');
    return !isNone && (isIPv4(gateway) || isIPv6(gateway)) ? [gateway] : [];
  });
  return [...new Set(found)];
}

/** The default gateways in `route print -4` of Windows, whose words depend on the language: only the numbers count. */
export function parseWindowsRoute(text: string): string[] {
  const routes = rows(text).flatMap((columns) => {
    const [destination, mask, address = '', ownAddress = '', metric = ''] = columns;
    // A persistent route has four columns: it may not be in use.
    if (columns.length !== 5 || destination !== '0.0.0.0' || mask !== '0.0.0.0') return [];
    return isIPv4(address) && isIPv4(ownAddress) ? [{ address, metric: Number(metric) }] : [];
  });
  return preferredFirst(routes);
}

/** The default gateways in `route print -6` of Windows. */
export function parseWindowsRoute6(text: string): string[] {
  const routes = rows(text).flatMap(([link = '', metric = '', destination, gateway = '']) => {
    // A persistent route belongs to no interface.
    if (destination !== '::/0' || !/^[1-9]\d*$/.test(link)) return [];
    const address = withLink(gateway, link);
    return isIPv6(address) ? [{ address, metric: Number(metric) }] : [];
  });
  return preferredFirst(routes);
}

function rows(text: string): string[][] {
  return text.split('\n').map((line) => line.trim().split(/\s+/));
}

function isUpAndGateway(flags: string): boolean {
  return (Number.parseInt(flags, 16) & UP_AND_GATEWAY) === UP_AND_GATEWAY;
}

function bytesOf(hex: string): number[] {
  return (hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16));
}

/** RFC 4007 §11: an address of one link needs the link's name. */
function withLink(address: string, link: string): string {
  return isLinkLocal(address) ? `${address}%${link}` : address;
}

function preferredFirst(routes: readonly Route[]): string[] {
  const usable = routes.filter((route) => Number.isFinite(route.metric)).toSorted((a, b) => a.metric - b.metric);
  return [...new Set(usable.map((route) => route.address))];
}
