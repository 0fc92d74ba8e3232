import type { DeviceKey } from '../base/id.ts';
import type { PeerExchange } from './peer-exchange.ts';
import type { Route } from './route.ts';

/** Of a connection that is handed to a torrent. */
export interface ConnectionInfo {
  readonly device: DeviceKey;
  readonly route: Route;
  readonly weDialled: boolean;
  /** Of a stranger, whom nobody admitted: the 20 bytes that we are called there. Left out = a member. */
  readonly strangersId?: Uint8Array;
  /** Another program; left out = ours. */
  readonly isForeign?: boolean;
  /** Told and heard of other strangers; left out = nothing is, as with every member. */
  readonly exchange?: PeerExchange;
}
