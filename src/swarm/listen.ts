import type { Server } from 'node:net';
import { AppError } from '../base/errors.ts';

const NEXT_PORTS = 20;
const TAKEN = new Set(['EADDRINUSE', 'EACCES']);

/**
 * Binds one server per address, all on the same port: the preferred one, else one of the next, else any.
 * No address means all of them. `create` is called for each attempt.
 */
export async function listenOnAll(
  create: () => Server,
  addresses: readonly string[],
  preferredPort: number,
): Promise<{ servers: Server[]; port: number }> {
  const ports = preferredPort === 0 ? [] : Array.from({ length: NEXT_PORTS }, (_, index) => preferredPort + index);
  let failure: unknown;
  for (const port of [...ports, 0, 0, 0]) {
    if (port > 65_535) continue;
    try {
      return await bindAll(create, addresses.length === 0 ? [null] : addresses, port);
    } catch (error) {
      if (!TAKEN.has(systemCode(error))) throw listenError(error);
      failure = error;
    }
  }
  throw listenError(failure);
}

/** A port, and what the system says against listening on it; null = nothing. */
export interface PortRefusal {
  readonly port: number;
  readonly failure: string | null;
}

/** Binds exactly this port, or says why not. */
export async function listenOnOne(
  create: () => Server,
  addresses: readonly string[],
  port: number,
): Promise<{ servers: Server[]; failure: string | null }> {
  try {
    const { servers } = await bindAll(create, addresses.length === 0 ? [null] : addresses, port);
    return { servers, failure: null };
  } catch (error) {
    // A port that is nice to have: whoever asks is told why it is not there.
    return { servers: [], failure: systemCode(error) || 'failed' };
  }
}

async function bindAll(
  create: () => Server,
  addresses: readonly (string | null)[],
  wanted: number,
): Promise<{ servers: Server[]; port: number }> {
  const servers: Server[] = [];
  let port = wanted;
  try {
    for (const address of addresses) {
      const server = create();
      servers.push(server);
      port = await bind(server, address, port);
    }
    return { servers, port };
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
}

async function bind(server: Server, address: string | null, port: number): Promise<number> {
  try {
    return await bindOnce(server, address ?? '::', port);
  } catch (error) {
    // Without IPv6 the wildcard of IPv4 is all there is.
    if (address !== null || !['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(systemCode(error))) throw error;
    return bindOnce(server, '0.0.0.0', port);
  }
}

function bindOnce(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function listenError(cause: unknown): AppError {
  return new AppError('swarm-unavailable', 'cannot listen for members', { system: systemCode(cause) }, cause);
}
