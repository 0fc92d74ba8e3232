import type { BareJid, DeviceKey } from '../base/id.ts';
import type { Scope } from '../base/scope.ts';
import type { RoomsDeps } from '../spheres/rooms.ts';
import { Rooms } from '../spheres/rooms.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import { nickMark } from '../spheres/wake-calls.ts';
import type { XmppPort } from '../xmpp/port.ts';
import { Room } from '../xmpp/room.ts';
import { capsTag } from '../xmpp/xep/0115-caps.ts';
import { ABILITIES } from './abilities.ts';

type Given = 'service' | 'receive' | 'receiveEphemeral' | 'settle' | 'lost' | 'clock' | 'random' | 'log';

interface OpenRoomsDeps extends Pick<RoomsDeps, Given> {
  readonly client: XmppPort;
  readonly list: SphereList;
  readonly own: BareJid;
  readonly device: DeviceKey;
  readonly scope: Scope;
}

/** The rooms of an account's spheres, over its connection. */
export function openRooms(deps: OpenRoomsDeps): Rooms {
  const { client, list, own, device, scope, clock, log } = deps;
  const nick = `${own.slice(0, own.indexOf('@'))}${nickMark(device)}`;
  const extras = () => [capsTag(ABILITIES)];
  return new Rooms({
    ...deps,
    openRoom: (address) => {
      // One that the sphere has left is not missed.
      const isOurs = (room: BareJid): boolean => list.ofRoom(room)?.row.room === room;
      const mayRebuild = (): boolean => isOurs(address) && list.ofRoom(address)?.role === 'owner';
      const cursor = (): string | null => list.cursorOf(address);
      return new Room({ client, address, nick, clock, log, extras, cursor, mayRebuild });
    },
    cursor: { get: (room) => list.cursorOf(room), set: (room, id) => list.noteCursor(room, id) },
    spawn: (name, task) => scope.spawn(name, task),
    signal: scope.signal,
    log: log.child('rooms'),
  });
}
