import type { PortraitTools } from '../people/portraits.ts';
import type { SwarmFeed } from '../spheres/swarm-feed.ts';
import type { AccountHolder } from './account-holder.ts';
import type { NetworkPlaces } from './network-places.ts';
import type { Onlookers } from './onlookers.ts';
import type { ServicesDeps } from './start-engine.ts';
import type { SpeedRules } from './speed-rules.ts';
import type { ViewSource } from './view-source.ts';

/** What the calls of the contract work with. */
export interface AppCallsDeps extends ServicesDeps {
  readonly holder: AccountHolder;
  readonly feed: SwarmFeed;
  readonly views: ViewSource;
  readonly speed: SpeedRules;
  readonly places: NetworkPlaces;
  readonly onlookers: Onlookers;
  readonly mediaTools: PortraitTools;
}
