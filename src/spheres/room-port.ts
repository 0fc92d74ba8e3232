import type { Room } from '../xmpp/room.ts';

/** What is used of one room. */
export type RoomPort = AsyncDisposable &
  Pick<
    Room,
    | 'state'
    | 'occupants'
    | 'onState'
    | 'onMessage'
    | 'onOccupants'
    | 'onExpelled'
    | 'create'
    | 'destroy'
    | 'join'
    | 'keep'
    | 'invite'
    | 'affiliations'
    | 'setAffiliation'
    | 'send'
    | 'sendNow'
    | 'history'
  >;
