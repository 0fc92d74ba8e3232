import type { FinderDeps } from './gateway-finders.ts';
import { createGatewayFinders } from './gateway-finders.ts';
import { publicAddresses6 } from './local-addresses.ts';
import { PortMapper } from './port-mapper.ts';
import { ANNOUNCEMENTS, RestartListener } from './restart-listener.ts';

/** A port mapper in the networks of this machine. */
export function createPortMapper(deps: FinderDeps): PortMapper {
  return new PortMapper({
    ...deps,
    finders: createGatewayFinders(deps),
    addresses6: publicAddresses6,
    listen: (onRestart) => new RestartListener({ log: deps.log, ...ANNOUNCEMENTS, onRestart }),
  });
}
