// UPnP InternetGatewayDevice:1 and :2
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { localAddressTowards } from './ask-udp.ts';
import type { Gateway } from './gateway.ts';
import { requestHttp } from './http-request.ts';
import { readDescription } from './igd-description.ts';
import { isPublicAddress } from './ip-address.ts';
import { searchSsdp } from './ssdp.ts';
import { UpnpGateway } from './upnp-gateway.ts';

export const SSDP_GROUP = { address: '239.255.255.250', port: 1900 } as const;
const MOST_DEVICES = 8;
/** The start of the machine's own router before other devices that call themselves one. */
const HEAD_START_MS = 1_000;

export interface UpnpDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  /** The machine's default gateway. */
  readonly address: string;
  readonly group: { readonly address: string; readonly port: number };
  readonly mayAsk: (address: string) => boolean;
}

/** Resolves with the first UPnP router that describes a working connection, preferably the default gateway. */
export async function findUpnp(deps: UpnpDeps, signal: AbortSignal): Promise<Gateway> {
  const { clock, log, address, group, mayAsk } = deps;
  const localAddress = await localAddressTowards(address, group.port);
  const found = Promise.withResolvers<Gateway>();
  const done = new AbortController();
  const limited = AbortSignal.any([signal, done.signal]);
  const devices = new Map<string, Promise<void>>();
  const visit = async (location: URL): Promise<void> => {
    try {
      if (location.hostname !== address) await clock.sleep(HEAD_START_MS, limited);
      found.resolve(await openDevice(deps, location, limited));
    } catch (error) {
      if (!limited.aborted) log.debug('device is no usable router', { error });
    }
  };
  const onLocation = (location: URL): void => {
    if (devices.has(location.href) || devices.size >= MOST_DEVICES) return;
    devices.set(location.href, visit(location));
  };
  const search = async (): Promise<never> => {
    await searchSsdp({ clock, localAddress, group, mayAsk, onLocation }, limited);
    await Promise.all(devices.values());
    throw new AppError('not-found', 'no UPnP router answers');
  };
  try {
    return await Promise.race([found.promise, search()]);
  } finally {
    done.abort();
  }
}

/** A router may describe several connections, of which one is up. */
async function openDevice(deps: UpnpDeps, location: URL, signal: AbortSignal): Promise<Gateway> {
  const description = await requestHttp({ url: location, method: 'GET' }, deps.clock, signal);
  if (description.status !== 200) throw new AppError('not-found', 'the device does not describe itself');
  let spare: UpnpGateway | undefined;
  for (const service of readDescription(description.body, location)) {
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
