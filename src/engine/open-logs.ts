import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { EpochCare } from '../spheres/epoch-care.ts';
import type { EphemeralChannel } from '../spheres/ephemeral-channel.ts';
import { LogExchange } from '../spheres/log-exchange.ts';
import type { Rooms } from '../spheres/rooms.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import type { Storage } from '../storage/storage.ts';

interface LogsDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly channel: EphemeralChannel;
  readonly rooms: Pick<Rooms, 'isCaughtUp' | 'readBack'>;
  readonly queued: () => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** Everything that makes the logs of members alike, whatever the server does. */
export function openLogs(deps: LogsDeps): { readonly logs: LogExchange; readonly epochs: EpochCare } {
  const { rooms } = deps;
  const logs = new LogExchange({
    ...deps,
    isCaughtUp: (room) => rooms.isCaughtUp(room),
    readBack: (room, after, isWanted) => rooms.readBack(room, after, isWanted),
    log: deps.log.child('log'),
  });
  return { logs, epochs: new EpochCare({ ...deps, log: deps.log.child('epochs') }) };
}
