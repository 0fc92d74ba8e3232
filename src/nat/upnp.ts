// UPnP InternetGatewayDevice:1 and :2
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { localAddressTowards } from './ask-udp.ts';
import { FirewallGateway } from './firewall-gateway.ts';
import type { Gateway } from './gateway.ts';
import { requestHttp } from './http-request.ts';
import { readConnections, readFirewalls } from './igd-description.ts';
import { isPublicAddress } from '../base/ip-address.ts';
import type { SsdpSearch } from './ssdp.ts';
import { searchSsdp } from './ssdp.ts';
import { UpnpGateway } from './upnp-gateway.ts';

export const SSDP_GROUP = { address: '239.255.255.250', port: 1900 } as const;
/** UPnP Device Architecture 1.1, Annex A: of the link. */
export const SSDP_GROUP6 = { address: 'ff02::c', port: 1900 } as const;
const MOST_DEVICES = 8;
const MOST_OF_SENDER = 2;
/** The start of the machine's own router before other devices that call themselves one. */
const HEAD_START_MS = 1_000;

interface FindDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly group: { readonly address: string; readonly port: number };
  readonly mayAsk: (address: string) => boolean;
}

export interface UpnpDeps extends FindDeps {
  readonly random: RandomBytes;
  /** The machine's default gateway. */
  readonly address: string;
}

export interface FirewallDeps extends FindDeps {
  /** The IPv6 address of this machine to open pinholes for. */
  readonly from: string;
  /** As in SsdpSearch. */
  readonly multicastInterface: string;
}

/** Resolves with the first UPnP router that describes a working connection, preferably the default gateway. */
export async function findUpnp(deps: UpnpDeps, signal: AbortSignal): Promise<Gateway> {
  const localAddress = await localAddressTowards(deps.address, deps.group.port);
  const open = async (location: URL, limited: AbortSignal): Promise<Gateway> => {
    if (location.hostname !== deps.address) await deps.clock.sleep(HEAD_START_MS, limited);
    return openConnection(deps, location, limited);
  };
  return firstDevice(deps, { localAddress, multicastInterface: localAddress, router: deps.address }, open, signal);
}

/** Resolves with the first UPnP router whose IPv6 firewall can be asked for pinholes. */
export function findUpnpFirewall(deps: FirewallDeps, signal: AbortSignal): Promise<Gateway> {
  const { from, multicastInterface } = deps;
  const open = (location: URL, limited: AbortSignal): Promise<Gateway> => openFirewall(deps, location, limited);
  return firstDevice(deps, { localAddress: from, multicastInterface }, open, signal);
}

/** Searches, and resolves with the first device that can be opened. */
async function firstDevice(
  { clock, log, group, mayAsk }: FindDeps,
  { router, ...where }: Pick<SsdpSearch, 'localAddress' | 'multicastInterface'> & { router?: string },
  open: (location: URL, signal: AbortSignal) => Promise<Gateway>,
  signal: AbortSignal,
): Promise<Gateway> {
  const found = Promise.withResolvers<Gateway>();
  const done = new AbortController();
  const limited = AbortSignal.any([signal, done.signal]);
  const devices = new Map<string, Promise<void>>();
  const visit = async (location: URL): Promise<void> => {
    try {
      found.resolve(await open(location, limited));
    } catch (error) {
      if (!limited.aborted) log.debug('device is no usable router', { error });
    }
  };
  const onLocation = (location: URL): void => {
    if (!mayVisit(location, Array.from(devices.keys()), router)) return;
    devices.set(location.href, visit(location));
  };
  const search = async (): Promise<never> => {
    await searchSsdp({ clock, ...where, group, mayAsk, onLocation }, limited);
    await Promise.all(devices.values());
    throw new AppError('not-found', 'no UPnP router answers');
  };
  try {
    return await Promise.race([found.promise, search()]);
  } finally {
    done.abort();
  }
}

/** Whether one more place is looked at: few of each machine and in all, and the machine's own router always. */
export function mayVisit(location: URL, visited: readonly string[], router: string | undefined): boolean {
  const ofSender = visited.filter((href) => new URL(href).hostname === location.hostname);
  if (visited.includes(location.href) || ofSender.length >= MOST_OF_SENDER) return false;
  return visited.length < MOST_DEVICES || location.hostname === router;
}

/** A router may describe several connections, of which one is up. */
async function openConnection(deps: UpnpDeps, location: URL, signal: AbortSignal): Promise<Gateway> {
  const description = await describe({ location }, deps.clock, signal);
  let spare: UpnpGateway | undefined;
  for (const service of readConnections(description, location)) {
    const gateway = new UpnpGateway({ clock: deps.clock, random: deps.random, service });
    try {
      if (isPublicAddress((await gateway.outside(signal)).externalAddress)) return gateway;
      spare ??= gateway;
    } catch (error) {
      signal.throwIfAborted();
      deps.log.debug('connection is not usable', { error });
    }
  }
  if (spare === undefined) throw new AppError('not-found', 'the device maps no ports');
  return spare;
}

async function openFirewall({ clock, from }: FirewallDeps, location: URL, signal: AbortSignal): Promise<Gateway> {
  const [service] = readFirewalls(await describe({ location, from }, clock, signal), location);
  if (service === undefined) throw new AppError('not-found', 'the device opens no pinholes');
  const gateway = new FirewallGateway({ clock, from, service });
  await gateway.requireWilling(signal);
  return gateway;
}

async function describe(
  { location, from }: { location: URL; from?: string },
  clock: Clock,
  signal: AbortSignal,
): Promise<string> {
  const request = { url: location, method: 'GET', ...(from === undefined ? {} : { from }) } as const;
  const description = await requestHttp(request, clock, signal);
  if (description.status !== 200) throw new AppError('not-found', 'the device does not describe itself');
  return description.body;
}
