import type { Clock } from '../base/clock.ts';
import type { Emitter } from '../base/emitter.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Omemo } from '../omemo/omemo.ts';
import type { Contacts } from '../people/contacts.ts';
import type { DirectTalk } from '../spheres/direct-talk.ts';
import type { HistoryPacks } from '../spheres/history-packs.ts';
import { Incoming } from '../spheres/incoming.ts';
import type { LogExchange } from '../spheres/log-exchange.ts';
import { Mailbox } from '../spheres/mailbox.ts';
import type { Outgoing } from '../spheres/outgoing.ts';
import type { OwnDevices } from '../spheres/own-devices.ts';
import type { OwnWords } from '../spheres/own-words.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import type { Storage } from '../storage/storage.ts';

interface IncomingParts {
  readonly storage: Storage;
  readonly omemo: Omemo;
  readonly own: BareJid;
  readonly list: SphereList;
  readonly contacts: Pick<Contacts, 'isStranger'>;
  /** Takes what is said one to one; without it such lines are dropped. */
  readonly talk?: DirectTalk;
  readonly onInvitation: Emitter<string>;
  /** Those who act on what comes: they are there before anything does. */
  readonly parts: () => {
    readonly logs: LogExchange;
    readonly packs: HistoryPacks;
    readonly outgoing: Outgoing;
    readonly devices: OwnDevices;
    readonly ownWords: OwnWords;
  };
  readonly clock: Clock;
  readonly log: Logger;
}

/** Everything that reads messages. */
export function openIncoming(deps: IncomingParts): { readonly incoming: Incoming; readonly mailbox: Mailbox } {
  const { storage, own, list, contacts, parts, clock, log } = deps;
  const nowMs = (): number => clock.now();
  const effectsOf: ConstructorParameters<typeof Mailbox>[0]['effectsOf'] = (sphere) => list.effectsOf(sphere);
  const isStranger = (jid: BareJid): boolean => contacts.isStranger(jid);
  const mailbox = new Mailbox({ storage, own, effectsOf, isStranger, nowMs, log: log.child('mailbox') });
  const incoming = new Incoming({
    ...{ ...deps, mailbox, nowMs, log: log.child('incoming') },
    sphereOfRoom: (room) => list.ofRoom(room),
    sphereOfId: (id) => list.find(id),
    onUnread: (sphere, isEvent) => parts().logs.unread(sphere, isEvent),
    onChanges: (sphere, changes) => list.announce(sphere, changes),
    onGiven: (sphere, events, by) => parts().logs.withheld.given(sphere, events, by),
    onLive: (sphere, event, from) => parts().logs.habits.came(sphere, event, from),
    onRepeated: (sphere, firstMs) => parts().logs.habits.repeated(sphere, firstMs),
    onHeard: (sphere, events) => parts().logs.withheld.heard(sphere, events),
    onOwn: (message) => parts().outgoing.arrived(message),
    introductions: {
      heard: (hello) => {
        parts().devices.heard(hello);
        parts().ownWords.heard(hello);
      },
      offered: (offer) => parts().devices.offered(offer),
    },
    packs: { offered: (sphere, offer) => parts().packs.offered(sphere, offer) },
    onInvitation: (id) => deps.onInvitation.emit(id),
  });
  return { incoming, mailbox };
}
