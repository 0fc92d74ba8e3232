import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { EpochCare } from '../spheres/epoch-care.ts';
import type { EphemeralChannel } from '../spheres/ephemeral-channel.ts';
import { HistoryPacks } from '../spheres/history-packs.ts';
import { LogExchange } from '../spheres/log-exchange.ts';
import type { Mailbox } from '../spheres/mailbox.ts';
import type { Rooms } from '../spheres/rooms.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import type { SwarmFeed } from '../spheres/swarm-feed.ts';
import { ServerHabits } from '../spheres/server-habits.ts';
import { Withheld } from '../spheres/withheld.ts';
import type { Storage } from '../storage/storage.ts';

interface LogsDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly channel: EphemeralChannel;
  readonly rooms: Rooms;
  readonly mailbox: Mailbox;
  readonly feed: SwarmFeed;
  /** For histories that come or go as one file. */
  readonly packsFolder: string;
  readonly queued: () => void;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

interface Logs {
  readonly logs: LogExchange;
  readonly epochs: EpochCare;
  readonly packs: HistoryPacks;
}

/** Everything that makes the logs of members alike, whatever the server does. */
export function openLogs(deps: LogsDeps): Logs {
  const { rooms } = deps;
  const packs = new HistoryPacks({ ...deps, folder: deps.packsFolder, log: deps.log.child('packs') });
  const habits = new ServerHabits({ ...deps, log: deps.log.child('habits') });
  const withheld = new Withheld({ ...deps, habits, log: deps.log.child('withheld') });
  const logs = new LogExchange({
    ...{ ...deps, packs, withheld, habits },
    isCaughtUp: (room) => rooms.isCaughtUp(room),
    readBack: (room, after, isWanted) => rooms.readBack(room, after, isWanted),
    log: deps.log.child('log'),
  });
  return { logs, packs, epochs: new EpochCare({ ...deps, log: deps.log.child('epochs') }) };
}
