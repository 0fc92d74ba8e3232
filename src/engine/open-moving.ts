import type { Clock } from '../base/clock.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import type { EphemeralChannel } from '../spheres/ephemeral-channel.ts';
import { Relocation } from '../spheres/relocation.ts';
import { RoomMover } from '../spheres/room-mover.ts';
import type { Rooms } from '../spheres/rooms.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import type { Storage } from '../storage/storage.ts';

interface MovingDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly rooms: Rooms;
  readonly channel: EphemeralChannel;
  readonly findService: (server: string, signal: AbortSignal) => Promise<string>;
  readonly own: BareJid;
  readonly queued: () => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** What moves spheres to other rooms, and what follows when somebody does. */
export function openMoving(deps: MovingDeps): { readonly relocation: Relocation; readonly mover: RoomMover } {
  const log = deps.log.child('moving');
  return { relocation: new Relocation({ ...deps, log }), mover: new RoomMover({ ...deps, log }) };
}
