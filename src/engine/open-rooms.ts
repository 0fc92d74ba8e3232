import type { Clock } from '../base/clock.ts';
import type { BareJid, DeviceKey } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import type { Scope } from '../base/scope.ts';
import type { EphemeralChannel } from '../spheres/ephemeral-channel.ts';
import type { Incoming } from '../spheres/incoming.ts';
import { Rooms } from '../spheres/rooms.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import type { Storage } from '../storage/storage.ts';
import type { XmppClient } from '../xmpp/client.ts';
import { Room } from '../xmpp/room.ts';
import { capsTag } from '../xmpp/xep/0115-caps.ts';
import { ABILITIES } from './abilities.ts';
import type { ServerKnowledge } from './account-online.ts';

interface OpenRoomsDeps {
  readonly client: XmppClient;
  readonly list: SphereList;
  readonly own: BareJid;
  readonly device: DeviceKey;
  readonly incoming: Pick<Incoming, 'receive'>;
  readonly channel: Pick<EphemeralChannel, 'receive'>;
  readonly server: ServerKnowledge;
  readonly storage: Pick<Storage, 'settle'>;
  readonly scope: Scope;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** The rooms of our spheres, and where what is said in them goes. */
export function openRooms(deps: OpenRoomsDeps): Rooms {
  const { client, list, own, device, incoming, channel, server, storage, scope, clock, random, log } = deps;
  const nick = `${own.slice(0, own.indexOf('@'))}-${device.slice(0, 6)}`;
  return new Rooms({
    openRoom: (address) => {
      const mayRebuild = (): boolean => list.ofRoom(address)?.state.members.get(own)?.role === 'owner';
      const extras = () => [capsTag(ABILITIES)];
      return new Room({ client, address, nick, clock, log, extras, mayRebuild });
    },
    service: () => server.features?.muc ?? null,
    receive: (message, signal) => incoming.receive(message, signal),
    receiveEphemeral: (message) => channel.receive(message),
    cursor: {
      get: (room) => (list.ofRoom(room) ?? list.leftOf(room))?.row.archiveCursor ?? null,
      set: (room, id) => list.ofRoom(room)?.noteCursor(id),
    },
    settle: () => storage.settle(),
    spawn: (name, task) => scope.spawn(name, task),
    signal: scope.signal,
    clock,
    random,
    log: log.child('rooms'),
  });
}
