import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { findDefaultGateway } from './default-gateway.ts';
import type { FindGateway } from './gateway.ts';
import { isPrivateAddress } from './ip-address.ts';
import { findNatPmp } from './nat-pmp.ts';
import { findPcp, PCP_PORT } from './pcp.ts';
import { findUpnp, SSDP_GROUP } from './upnp.ts';

const SECRET_BYTES = 32;

/** PCP, NAT-PMP and UPnP, each towards the router this machine sends through at that moment. */
export function createGatewayFinders(deps: { clock: Clock; random: RandomBytes; log: Logger }): FindGateway[] {
  const { clock, random, log } = deps;
  const secret = random(SECRET_BYTES);
  const towards =
    (find: (address: string, signal: AbortSignal) => ReturnType<FindGateway>): FindGateway =>
    async (signal) =>
      find(await findDefaultGateway(signal), signal);
  return [
    towards((address, signal) => findPcp({ clock, address, port: PCP_PORT, secret }, signal)),
    towards((address, signal) => findNatPmp({ clock, address, port: PCP_PORT }, signal)),
    towards((address, signal) =>
      findUpnp({ clock, random, log, address, group: SSDP_GROUP, mayAsk: isPrivateAddress }, signal),
    ),
  ];
}
