import type { Clock } from '../base/clock.ts';
import type { Scope } from '../base/scope.ts';
import type { EphemeralChannel } from '../spheres/ephemeral-channel.ts';
import type { Rooms } from '../spheres/rooms.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import { WakeCalls } from '../spheres/wake-calls.ts';
import type { XmppCarrier } from '../spheres/xmpp-carrier.ts';
import type { XmppClient } from '../xmpp/client.ts';
import { bareJidOf } from '../xmpp/jid.ts';
import type { XmppPort } from '../xmpp/port.ts';
import { answerPing } from '../xmpp/xep/0199-ping.ts';
import { ClientStateTeller } from './client-state-teller.ts';
import type { Onlookers } from './onlookers.ts';

interface ClientStateDeps {
  readonly client: XmppPort & Pick<XmppClient, 'connection'>;
  readonly list: Pick<SphereList, 'wantedRooms'>;
  readonly rooms: Pick<Rooms, 'occupants'>;
  readonly carrier: Pick<XmppCarrier, 'isReader'>;
  readonly channel: Pick<EphemeralChannel, 'onSaid'>;
  readonly onlookers: Onlookers;
  readonly scope: Pick<Scope, 'spawn'>;
  readonly stack: AsyncDisposableStack;
  readonly clock: Clock;
}

/** Has the server hold back what can wait while nobody looks, and those who wait for it give notice. */
export function tellClientState({ client, list, rooms, carrier, channel, stack, ...deps }: ClientStateDeps): void {
  const { onlookers, scope, clock } = deps;
  const spawn = (name: string, task: (signal: AbortSignal) => Promise<void>): void => scope.spawn(name, task);
  const teller = stack.use(new ClientStateTeller({ client, onlookers, spawn, clock }));
  // Anybody can ask whether we are there; only those in our rooms are waited for.
  const isMember = (from: string): boolean => {
    const room = bareJidOf(from);
    return room !== undefined && list.wantedRooms().includes(room);
  };
  stack.use(answerPing(client, (from) => isMember(from) && teller.stir()));
  const occupants = rooms.occupants.bind(rooms);
  const calls = stack.use(new WakeCalls({ client, occupants, reads: carrier.isReader.bind(carrier), spawn, clock }));
  stack.defer(channel.onSaid.on((said) => calls.said(said)));
}
