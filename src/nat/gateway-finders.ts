import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { findDefaultGateways, findDefaultGateways6 } from './default-gateways.ts';
import type { FindGateway, FindGateways } from './gateway.ts';
import { isNeighbour, isPrivateAddress } from '../base/ip-address.ts';
import { multicastInterfaceOf } from './local-addresses.ts';
import { findNatPmp } from './nat-pmp.ts';
import { findPcp, PCP_PORT } from './pcp.ts';
import { findUpnp, findUpnpFirewall, SSDP_GROUP, SSDP_GROUP6 } from './upnp.ts';

const SECRET_BYTES = 32;

export interface FinderDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

export interface GatewayFinders {
  /** PCP, NAT-PMP and UPnP, towards every router that this machine sends through at that moment. */
  readonly ports: FindGateways;
  /** PCP and UPnP, towards the routers that may open pinholes for an IPv6 address of this machine. */
  readonly pinholes: (address: string) => FindGateways;
}

export function createGatewayFinders({ clock, random, log }: FinderDeps): GatewayFinders {
  const secret = random(SECRET_BYTES);
  const ports = async (signal: AbortSignal): Promise<FindGateway[]> => {
    const gateways = await findDefaultGateways(signal);
    return gateways.flatMap((address): FindGateway[] => [
      (limited) => findPcp({ clock, address, port: PCP_PORT, secret }, limited),
      (limited) => findNatPmp({ clock, address, port: PCP_PORT }, limited),
      (limited) => findUpnp({ clock, random, log, address, group: SSDP_GROUP, mayAsk: isPrivateAddress }, limited),
    ]);
  };
  const pinholes =
    (from: string): FindGateways =>
    async (signal) => {
      const gateways = await findDefaultGateways6(from, signal);
      const byPcp = gateways.map(
        (address): FindGateway =>
          (limited) =>
            findPcp({ clock, address, port: PCP_PORT, from, secret }, limited),
      );
      const multicastInterface = multicastInterfaceOf(from);
      if (multicastInterface === undefined) return byPcp;
      const mayAsk = (address: string): boolean => isNeighbour(address, from);
      const search = { clock, log, group: SSDP_GROUP6, mayAsk, from, multicastInterface };
      return [...byPcp, (limited) => findUpnpFirewall(search, limited)];
    };
  return { ports, pinholes };
}
