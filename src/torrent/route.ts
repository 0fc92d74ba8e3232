import type { Duplex } from 'node:stream';
import { BlockList, isIPv6 } from 'node:net';
import type { DeviceKey } from '../base/id.ts';
import type { Path } from '../contract/swarm.ts';
import { parseEndpoint } from './endpoint.ts';

/** How a stream reaches the other device; a connection through routers may change its way, so it is read each time. */
export interface Route {
  readonly path: Path;
  /** `host:port` of the other end, or of the relay. */
  readonly address: string;
}

/** A stream to another device, whatever it runs over. */
export interface RoutedStream {
  readonly stream: Duplex;
  readonly route: Route;
  /** Whom the way itself proves to be at the other end; null = only admission tells. */
  readonly device: DeviceKey | null;
}

/** Reached without leaving the own network or the provider's (RFC 1918, 3927, 4193, 6598), or on this machine. */
const NEAR_V4 = new BlockList();
for (const [net, prefix] of [
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const) {
  NEAR_V4.addSubnet(net, prefix, 'ipv4');
}
const NEAR_V6 = new BlockList();
NEAR_V6.addAddress('::1', 'ipv6');
NEAR_V6.addSubnet('fc00::', 7, 'ipv6');
NEAR_V6.addSubnet('fe80::', 10, 'ipv6');

/** The path that a TCP connection to or from this endpoint takes. */
export function pathOf(endpoint: string): Path {
  const host = parseEndpoint(endpoint)?.host ?? '';
  if (isIPv6(host)) return NEAR_V6.check(host, 'ipv6') ? 'lan' : 'ipv6';
  return NEAR_V4.check(host, 'ipv4') ? 'lan' : 'tcp';
}

/** Whether the path is one TCP connection: better than any that WebRTC finds, and both ends see that alike. */
export function isStraight(path: Path): boolean {
  return path !== 'webrtc' && path !== 'turn';
}
