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

/** The home routers that this machine sends through, the preferred one first; `not-found` when there is none. */
export function findDefaultGateways(signal: AbortSignal): Promise<string[]> {
  return find('IPv4', isPrivateAddress, signal);
}

/** The routers that may open pinholes for this IPv6 address of the machine; `not-found` when there is none. */
export function findDefaultGateways6(own: string, signal: AbortSignal): Promise<string[]> {
  return find('IPv6', (address) => isNeighbour(address, own), signal);
}

async function find(
  family: 'IPv4' | 'IPv6',
  isUsable: (address: string) => boolean,
  signal: AbortSignal,
): Promise<string[]> {
  let addresses: string[];
  try {
    addresses = family === 'IPv4' ? await readRoutes(signal) : await readRoutes6(signal);
  } catch (error) {
    signal.throwIfAborted();
    throw new AppError('not-found', 'the routes of this machine cannot be read', {}, error);
  }
  const usable = addresses.filter(isUsable).slice(0, MOST_GATEWAYS);
  if (usable.length === 0) throw new AppError('not-found', 'there is no router');
  return usable;
}

async function readRoutes(signal: AbortSignal): Promise<string[]> {
  switch (process.platform) {
    case 'linux':
      return parseProcRoute(await readFile('/proc/net/route', { encoding: 'utf8', signal }));
    case 'darwin':
      return parseMacRoutes(await output('/usr/sbin/netstat', ['-rn', '-f', 'inet'], signal));
    case 'win32':
      return parseWindowsRoute(await output('route.exe', ['print', '-4'], signal));
    default:
      return [];
  }
}

async function readRoutes6(signal: AbortSignal): Promise<string[]> {
  switch (process.platform) {
    case 'linux':
      return parseProcRoute6(await readFile('/proc/net/ipv6_route', { encoding: 'utf8', signal }));
    case 'darwin':
      return parseMacRoutes(await output('/usr/sbin/netstat', ['-rn', '-f', 'inet6'], signal));
    case 'win32':
      return parseWindowsRoute6(await output('route.exe', ['print', '-6'], signal));
    default:
      return [];
  }
}

async function output(command: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  return (await run(command, args, { signal, timeout: COMMAND_MS, windowsHide: true })).stdout;
}
