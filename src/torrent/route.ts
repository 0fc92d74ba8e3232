import type { Duplex } from 'node:stream';
import type { DeviceKey } from '../base/id.ts';
import { isNearAddress } from '../base/ip-address.ts';
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

/** The path that a TCP connection to or from this endpoint takes. */
export function pathOf(endpoint: string): Path {
  const host = parseEndpoint(endpoint)?.host ?? '';
  if (isNearAddress(host)) return 'lan';
  return host.includes(':') ? 'ipv6' : 'tcp';
}

const RANK: Record<Path, number> = { lan: 0, ipv6: 0, tcp: 1, webrtc: 2, turn: 3 };

/** How good a path is, the best are 0: both ends may see that differently, where a router changes addresses within a home. */
export function rankOf(path: Path): number {
  return RANK[path];
}

/** Whether the path is one TCP connection: better than any that WebRTC finds, and both ends see that alike. */
export function isStraight(path: Path): boolean {
  return path !== 'webrtc' && path !== 'turn';
}
