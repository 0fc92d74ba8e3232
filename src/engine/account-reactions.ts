import type { Clock } from '../base/clock.ts';
import type { BareJid, ItemId, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import type { Emitter } from '../base/emitter.ts';
import type { Scope } from '../base/scope.ts';
import type { People } from '../people/people.ts';
import type { Caretaker } from '../spheres/caretaker.ts';
import { Continuation } from '../spheres/continuation.ts';
import type { SphereChange } from '../spheres/effects.ts';
import type { Delivery } from '../spheres/delivery.ts';
import type { EpochCare } from '../spheres/epoch-care.ts';
import type { EndpointExchange } from '../spheres/endpoint-exchange.ts';
import { dismissInvitations } from '../spheres/dismiss-invitations.ts';
import { devicesToEnd } from '../spheres/devices-to-end.ts';
import { finishLeaving } from '../spheres/finish-leaving.ts';
import type { HistoryPacks } from '../spheres/history-packs.ts';
import type { ItemService } from '../spheres/item-service.ts';
import { LateItems } from '../spheres/late-items.ts';
import type { Members } from '../spheres/members.ts';
import { listOpened } from '../spheres/list-opened.ts';
import type { LogExchange } from '../spheres/log-exchange.ts';
import type { KeyRenewal } from '../spheres/key-renewal.ts';
import { NewOwner } from '../spheres/new-owner.ts';
import { settleStanding } from '../spheres/own-standing.ts';
import type { Outgoing } from '../spheres/outgoing.ts';
import type { OwnDevices } from '../spheres/own-devices.ts';
import type { OwnWords } from '../spheres/own-words.ts';
import { ReadArchives } from '../spheres/read-archives.ts';
import type { Reading } from '../spheres/reading.ts';
import type { Relocation } from '../spheres/relocation.ts';
import type { Rooms } from '../spheres/rooms.ts';
import type { Sphere } from '../spheres/sphere.ts';
import type { SignalExchange } from '../spheres/signal-exchange.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import type { SpheresOfTwo } from '../spheres/spheres-of-two.ts';
import { partnerIn } from '../spheres/partner-in.ts';
import type { SwarmFeed } from '../spheres/swarm-feed.ts';
import type { Vault } from '../spheres/vault.ts';
import type { Storage } from '../storage/storage.ts';
import { followOwnPrograms } from './follow-own-programs.ts';
import { lookAfter } from './look-after.ts';
import { offerMoves } from './offer-moves.ts';
import { swarmKeys } from './swarm-keys.ts';

interface ReactionsDeps {
  readonly list: SphereList;
  readonly rooms: Pick<
    Rooms,
    | 'onArrival'
    | 'onExpelled'
    | 'onCaughtUp'
    | 'onPresence'
    | 'isInside'
    | 'isCaughtUp'
    | 'isRefused'
    | 'isGone'
    | 'held'
    | 'keepJoined'
    | 'leave'
  >;
  readonly relocation: Relocation;
  readonly outgoing: Outgoing;
  readonly caretaker: Caretaker;
  readonly members: Pick<Members, 'found' | 'inviteAs'>;
  readonly items: ItemService;
  readonly renewal: Pick<KeyRenewal, 'renew' | 'run'>;
  readonly exchange: EndpointExchange;
  readonly signals: SignalExchange;
  readonly logs: LogExchange;
  readonly epochs: EpochCare;
  readonly packs: Pick<HistoryPacks, 'run' | 'changed'>;
  readonly reading: Reading;
  readonly delivery: Delivery;
  readonly devices: OwnDevices;
  readonly vault: Vault;
  readonly ownWords: Pick<OwnWords, 'said'>;
  readonly people: Pick<People, 'contacts' | 'blocked' | 'devices' | 'fingerprints'>;
  readonly ofTwo: Pick<SpheresOfTwo, 'takeInvitations'>;
  readonly onInvitation: Emitter<string>;
  readonly feed: SwarmFeed;
  readonly storage: Storage;
  readonly own: BareJid;
  readonly scope: Scope;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly stack: AsyncDisposableStack;
  readonly log: Logger;
  /** After a start: resolves when whoever opens a page has it. */
  readonly letPagesOpen: (signal: AbortSignal) => Promise<void>;
}

/** What follows from what: keys for the swarm, welcomes for newcomers, addresses for those who arrive. */
export function joinReactions(deps: ReactionsDeps): void {
  const { list, rooms, outgoing, caretaker, exchange, feed, storage, scope, stack } = deps;
  startWork(deps);
  const late = openLateItems(deps);
  const stops = [
    list.onChange.on(({ sphere, changes }) => reactToChanges(deps, sphere, changes)),
    list.onChange.on(({ sphere, changes }) => late.changed(sphere, changes)),
    ...followDevices(deps),
    ...followOutgoing(deps),
    rooms.onCaughtUp.on((room) => {
      outgoing.poke();
      const sphere = list.ofRoom(room);
      if (sphere === undefined) return;
      deps.logs.caughtUp(sphere);
      caretaker.renewEpoch(sphere);
      deps.devices.endGone(sphere);
      new NewOwner(deps).settle(sphere);
      deps.delivery.meet(sphere);
      scope.spawn('tidy room', (signal) => caretaker.tidyRoom(sphere, signal));
      scope.spawn('go on with the old members', (signal) => new Continuation(deps).finish(sphere, signal));
    }),
    rooms.onArrival.on(({ room, accounts }) => {
      outgoing.poke();
      const sphere = list.ofRoom(room);
      if (sphere === undefined) return;
      deps.logs.arrived(sphere, accounts);
      deps.epochs.changed(sphere);
      scope.spawn('tell addresses', () => exchange.tell(sphere));
      // Somebody is here under a new address: the one before is not let in any more.
      const hasMoved = [...sphere.state.moved.values()].some((jid) => accounts?.has(jid) === true);
      if (hasMoved) scope.spawn('tidy room', (signal) => caretaker.tidyRoom(sphere, signal));
      if (hasMoved) scope.spawn('offer who moved', (signal) => offerMoves(deps, signal));
    }),
    deps.logs.onGathered.on((sphere) => deps.devices.endGone(sphere)),
    rooms.onPresence.on((room) => settleRefused(deps, room)),
    rooms.onExpelled.on((room) => {
      const sphere = list.ofRoom(room);
      if (sphere !== undefined) scope.spawn('tidy room', (signal) => caretaker.tidyRoom(sphere, signal));
    }),
    deps.people.contacts.onChange.on((jid) => {
      if (deps.people.contacts.isOnline(jid)) deps.devices.met(jid);
      deps.ofTwo.takeInvitations();
    }),
    deps.people.blocked.onChange.on((jid) => {
      const dismissed = storage.blocked.has(jid) ? dismissInvitations(storage, jid) : [];
      for (const id of dismissed) deps.onInvitation.emit(id);
    }),
    deps.onInvitation.on(() => deps.ofTwo.takeInvitations()),
    feed.onEvent.on((event) => {
      if (event.kind === 'candidates') scope.spawn('tell addresses', () => exchange.announce(event));
      if (event.kind === 'signal') scope.spawn('pass on signal', () => deps.signals.signal(event));
      if (event.kind === 'fetching') scope.spawn('tell what is fetched', () => deps.signals.fetching(event));
      if (event.kind === 'probe') scope.spawn('ask whether we are reached', () => deps.signals.probe(event));
      if (event.kind === 'reached') scope.spawn('tell what is reached', () => deps.signals.reached(event));
    }),
  ];
  stack.defer(() => {
    for (const stop of stops) stop();
  });
}

/** Who vouches for whose devices. */
function followDevices(deps: ReactionsDeps): (() => void)[] {
  const { list, devices, ownWords, people } = deps;
  return [
    list.onChange.on(({ changes }) => changes.some(({ kind }) => kind === 'members') && people.devices.lookAgain()),
    devices.onChange.on(() => people.devices.lookAgain()),
    people.fingerprints.onSaid.on((jid) => ownWords.said(jid)),
    people.contacts.onMoved.on(({ to }) => ownWords.said(to)),
    followOwnPrograms(deps),
  ];
}

/** What goes on as long as the account is open. */
function startWork(deps: ReactionsDeps): void {
  const { scope } = deps;
  scope.spawn('outgoing', (signal) => deps.outgoing.run(signal));
  scope.spawn('compare logs', (signal) => deps.logs.run(signal));
  scope.spawn('find out what was withheld', (signal) => deps.logs.withheld.run(signal));
  scope.spawn('renew keys that were not', (signal) => deps.renewal.run(signal));
  scope.spawn('ask for spheres', (signal) => deps.devices.run(signal));
  scope.spawn('keep vault', (signal) => deps.vault.run(signal));
  scope.spawn('care for epochs', (signal) => deps.epochs.run(signal));
  scope.spawn('feed swarm', (signal) => startSpheres(deps, signal));
  scope.spawn('look after', (signal) => lookAfter(deps, signal));
}

/** What stood when the account was last open: keys and items for the swarm, welcomes that are due. */
async function startSpheres(deps: ReactionsDeps, signal: AbortSignal): Promise<void> {
  for (const sphere of deps.list.all()) {
    try {
      await settleStanding(deps, sphere);
      deps.relocation.follow(sphere);
      await feedKeys(deps, sphere);
      if (sphere.row.state === 'joined') deps.caretaker.welcomePending(sphere);
    } catch (error) {
      signal.throwIfAborted();
      // The other spheres go on.
      deps.log.error('sphere not started', { sphereId: sphere.id, error });
    }
  }
  deps.reading.start();
  deps.outgoing.poke();
  deps.scope.spawn('exchange packs', (stop) => deps.packs.run(stop));
  await deps.items.resumeAll(deps.letPagesOpen, signal);
  for (const sphere of deps.list.all()) {
    takeOver(deps, sphere);
    deps.scope.spawn('renew keys', () => deps.renewal.renew(sphere));
  }
}

function followOutgoing(deps: ReactionsDeps): (() => void)[] {
  const { list, outgoing, storage, scope } = deps;
  return [
    outgoing.onSent.on(({ eventId, sphereId }) => {
      const own = sphereId === null ? undefined : list.find(sphereId);
      if (own?.placeOf(deps.own)?.state === 'left') scope.spawn('settle', () => settleStanding(deps, own));
      const message = storage.messages.get(eventId);
      const sphere = message === undefined ? undefined : list.find(message.sphereId);
      if (sphere !== undefined) list.announce(sphere, [{ kind: 'message', id: eventId }]);
    }),
    outgoing.onFailed.on(({ eventId, sphereId }) => {
      const sphere = sphereId === null ? undefined : list.find(sphereId);
      if (sphere !== undefined) list.announce(sphere, [{ kind: 'message', id: eventId }]);
    }),
    outgoing.onRefused.on(({ eventId, sphereId, to }) => {
      const left = sphereId === null ? undefined : list.find(sphereId);
      if (left === undefined || left.lastWord?.id !== eventId || to !== left.row.room) return;
      scope.spawn('tell leaders', () => finishLeaving(deps, left, true));
    }),
  ];
}

function reactToChanges(deps: ReactionsDeps, sphere: Sphere, changes: readonly SphereChange[]): void {
  const { scope, exchange, caretaker, outgoing } = deps;
  const kinds = new Set(changes.map(({ kind }) => kind));
  deps.logs.changed(sphere, changes);
  deps.epochs.changed(sphere);
  for (const change of changes) {
    if (change.kind === 'joined') caretaker.welcome(sphere, change.event);
    if (change.kind === 'item-gone') scope.spawn('withdraw item', () => withdraw(deps, change.id));
    if (change.kind === 'item-deletion') {
      scope.spawn('settle deletion', (signal) => deps.items.settleDeletion(change.id, signal));
    }
    if (change.kind === 'continued') takeOverLate(deps, change.sphere);
  }
  if (kinds.has('room') || kinds.has('members')) relocate(deps, sphere, kinds.has('room'));
  if (kinds.has('left') || kinds.has('device-ended')) caretaker.renewEpoch(sphere);
  if (kinds.has('members') || kinds.has('epochs')) {
    scope.spawn('renew epoch', (signal) => caretaker.renewEpochLater(sphere, signal));
  }
  if (kinds.has('left') || kinds.has('declined') || kinds.has('rights')) {
    scope.spawn('tidy room', (signal) => caretaker.tidyRoom(sphere, signal));
  }
  if (kinds.has('moved')) scope.spawn('offer who moved', (signal) => offerMoves(deps, signal));
  if (kinds.has('members')) {
    scope.spawn('settle', () => settleStanding(deps, sphere));
    meetPartner(deps, sphere);
  }
  if (kinds.has('members') || kinds.has('epochs')) deps.devices.sphereChanged(sphere);
  deps.devices.endGone(sphere);
  if (kinds.has('members') || kinds.has('epochs')) {
    deps.vault.changed();
    deps.packs.changed();
    scope.spawn('feed swarm', () => feedKeys(deps, sphere));
    scope.spawn('tell addresses', () => exchange.tell(sphere));
  }
  if (kinds.has('message')) deps.delivery.tell(sphere);
  const listed = changes.flatMap((change) =>
    change.kind === 'item' || change.kind === 'item-replaced' ? [change.id] : [],
  );
  const mayTakeOver = kinds.has('item') && sphere.log.continuation.continues !== null;
  if (kinds.has('item-replaced') || kinds.has('epochs') || mayTakeOver) {
    const ids = kinds.has('epochs') ? undefined : listed;
    scope.spawn('take over versions', (signal) => deps.items.adoptVersions(sphere, signal, ids));
  }
  if (kinds.has('item')) for (const id of sphere.log.continuation.continued.keys()) takeOverLate(deps, id, listed);
  if (['item', 'members', 'epochs'].some((kind) => kinds.has(kind as SphereChange['kind']))) {
    scope.spawn('renew keys', () => deps.renewal.renew(sphere));
  }
  if (kinds.has('epochs') || hasReturned(deps, sphere, changes)) {
    scope.spawn('wanted items', (signal) => deps.items.resumeWaiting(signal));
  }
  outgoing.poke();
}

/** To the room that the log says, and out of all of them where we are out of the sphere. */
function relocate(deps: ReactionsDeps, sphere: Sphere, isNew: boolean): void {
  const { relocation, scope, caretaker, logs, exchange, vault } = deps;
  relocation.follow(sphere);
  scope.spawn('look at former rooms', (signal) => relocation.lookAt(sphere, signal));
  if (!isNew) return;
  // Whoever came or went while the room was made.
  scope.spawn('tidy room', (signal) => caretaker.tidyRoom(sphere, signal));
  vault.changed();
  logs.meet(sphere);
  scope.spawn('tell addresses', () => exchange.tell(sphere));
}

/** A room that we only want to tell that we left may not let us in to do so. */
function settleRefused(deps: ReactionsDeps, room: BareJid): void {
  const sphere = deps.rooms.isRefused(room) ? deps.list.leftOf(room) : undefined;
  if (sphere !== undefined) deps.scope.spawn('settle', () => settleStanding(deps, sphere));
}

function openLateItems(deps: ReactionsDeps): LateItems {
  const { rooms, logs, scope } = deps;
  const archives = new ReadArchives(deps);
  const late = new LateItems({
    ...deps,
    isComplete: (sphere) => logs.isComplete(sphere, devicesToEnd(deps.storage)),
    isRead: (room) => archives.isRead(room) || rooms.isRefused(room),
  });
  scope.spawn('list late items', (signal) => late.run(signal));
  return late;
}

/** We may be in the new sphere before the old one says that it goes on there, and have an item before it comes there. */
function takeOverLate(deps: ReactionsDeps, sphereId: SphereId, came?: readonly ItemId[]): void {
  const next = deps.list.find(sphereId);
  if (next === undefined) return;
  if (came === undefined) return takeOver(deps, next);
  const origins = new Set<string>(came);
  const carried = [...next.state.items.values()].filter(({ event }) => origins.has(event.body.origin?.item ?? ''));
  if (carried.length > 0) {
    takeOver(
      deps,
      next,
      carried.map(({ id }) => id),
    );
  }
}

/** `ids`: all items of the sphere, unless some are given. */
function takeOver(deps: ReactionsDeps, sphere: Sphere, ids?: readonly ItemId[]): void {
  deps.scope.spawn('take over versions', async (signal) => {
    listOpened(deps, sphere, ids);
    await deps.items.adoptVersions(sphere, signal, ids);
  });
}

/** With whom we share alone is somebody we know: there is where their files are shown. */
function meetPartner({ people, own }: ReactionsDeps, sphere: Sphere): void {
  const partner = sphere.row.state === 'joined' ? partnerIn(sphere.state, sphere.ownJid(own)) : null;
  if (partner === null) return;
  people.contacts.meet(partner, true);
  people.contacts.onChange.emit(partner);
}

async function withdraw({ storage, items }: ReactionsDeps, itemId: ItemId): Promise<void> {
  if (storage.items.get(itemId) !== undefined) await items.withdraw(itemId);
}

/**
 * Whether an item was refused for a while, or its key came again: what was here of it is served again. Others' new items
 * are not wanted yet, and ours are on their way into the swarm.
 */
function hasReturned({ storage }: ReactionsDeps, sphere: Sphere, changes: readonly SphereChange[]): boolean {
  return changes.some((change) => {
    if (change.kind !== 'item') return false;
    const isOwn = sphere.state.items.get(change.id)?.event.header.device === sphere.device;
    const row = storage.items.get(change.id);
    return row?.wanted === true && (!isOwn || row.state === 'failed');
  });
}

/** Which devices may connect for this sphere, and by which keys. */
async function feedKeys({ feed, storage }: ReactionsDeps, sphere: Sphere): Promise<void> {
  const { state } = sphere.row;
  if (state === 'left' || state === 'removed') return;
  const toEnd = devicesToEnd(storage);
  const devices = [...sphere.state.devices.keys()].filter((device) => !toEnd.has(device));
  await feed.setSphere(sphere.id, { epochs: swarmKeys(sphere), devices, limits: sphere.row.limits });
}
