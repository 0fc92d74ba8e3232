import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { AppError } from '../base/errors.ts';
import { isNeighbour, isPrivateAddress } from '../base/ip-address.ts';
import {
  parseMacRoutes,
  parseProcRoute,
  parseProcRoute6,
  parseWindowsRoute,
  parseWindowsRoute6,
} from './route-table.ts';

const COMMAND_MS = 5_000;
/** A line at home, another one, a tunnel or two. */
const MOST_GATEWAYS = 4;
const run = promisify(execFile);

type Family = 'IPv4' | 'IPv6';

/** Where the routes of a machine are read. */
export interface RouteSource {
  readonly platform: NodeJS.Platform;
  readonly read: (file: string, signal: AbortSignal) => Promise<string>;
  /** What a command prints. */
  readonly output: (command: string, args: readonly string[], signal: AbortSignal) => Promise<string>;
}

const THIS_MACHINE: RouteSource = {
  platform: process.platform,
  read: (file, signal) => readFile(file, { encoding: 'utf8', signal }),
  output: async (command, args, signal) =>
    (await run(command, args, { signal, timeout: COMMAND_MS, windowsHide: true })).stdout,
};

/** The home routers that this machine sends through, the preferred one first; `not-found` when there is none. */
export function findDefaultGateways(signal: AbortSignal, source = THIS_MACHINE): Promise<string[]> {
  return find('IPv4', isPrivateAddress, source, signal);
}

/** The routers that may open pinholes for this IPv6 address of the machine; `not-found` when there is none. */
export function findDefaultGateways6(own: string, signal: AbortSignal, source = THIS_MACHINE): Promise<string[]> {
  return find('IPv6', (address) => isNeighbour(address, own), source, signal);
}

async function find(
  family: Family,
  isUsable: (address: string) => boolean,
  source: RouteSource,
  signal: AbortSignal,
): Promise<string[]> {
  let addresses: string[];
  try {
    addresses = await readRoutes(family, source, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw new AppError('not-found', 'the routes of this machine cannot be read', {}, error);
  }
  const usable = addresses.filter(isUsable).slice(0, MOST_GATEWAYS);
  if (usable.length === 0) throw new AppError('not-found', 'there is no router');
  return usable;
}

async function readRoutes(family: Family, source: RouteSource, signal: AbortSignal): Promise<string[]> {
  const is4 = family === 'IPv4';
  switch (source.platform) {
    case 'linux':
      return is4
        ? parseProcRoute(await source.read('/proc/net/route', signal))
        : parseProcRoute6(await source.read('/proc/net/ipv6_route', signal));
    case 'darwin':
      return parseMacRoutes(await source.output('/usr/sbin/netstat', ['-rn', '-f', is4 ? 'inet' : 'inet6'], signal));
    case 'win32': {
      const printed = await source.output('route.exe', ['print', is4 ? '-4' : '-6'], signal);
      return is4 ? parseWindowsRoute(printed) : parseWindowsRoute6(printed);
    }
    default:
      return [];
  }
}
