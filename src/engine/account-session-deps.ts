import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import type { IceServer } from '../contract/swarm.ts';
import type { Omemo } from '../omemo/omemo.ts';
import type { PortraitTools } from '../people/portraits.ts';
import type { MediaTools } from '../spheres/describe-item.ts';
import type { SwarmFeed } from '../spheres/swarm-feed.ts';
import type { Storage } from '../storage/storage.ts';
import type { ManyFiles } from '../torrent/file-thread.ts';
import type { XmppLogin } from '../xmpp/login.ts';
import type { Onlookers } from './onlookers.ts';
import type { OwnIdentity } from './own-identity.ts';

/** What an account works with. */
export interface AccountSessionDeps {
  readonly login: XmppLogin;
  readonly storage: Storage;
  readonly identity: OwnIdentity;
  /** Opens the account's encryption; tests put an unsafe one in its place to see what that would show. */
  readonly openOmemo: typeof Omemo.open;
  readonly feed: SwarmFeed;
  /** STUN and TURN servers that the person named. */
  readonly iceServers: readonly IceServer[];
  /** Whether every item is fetched without being asked for. */
  readonly keepEverything: boolean;
  readonly media: MediaTools & PortraitTools;
  readonly files: ManyFiles;
  /** Whether anybody looks at what happens. */
  readonly onlookers: Onlookers;
  readonly accountFolder: string;
  readonly spheresFolder: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}
