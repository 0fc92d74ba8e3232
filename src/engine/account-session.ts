import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Emitter } from '../base/emitter.ts';
import type { BareJid, EventId, ItemId, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { Scope } from '../base/scope.ts';
import type { Omemo } from '../omemo/omemo.ts';
import { People } from '../people/people.ts';
import { Typing } from '../people/typing.ts';
import type { Carrier } from '../spheres/carrier.ts';
import { Caretaker } from '../spheres/caretaker.ts';
import { Conversation } from '../spheres/conversation.ts';
import { Delivery } from '../spheres/delivery.ts';
import type { DeviceCertifier } from '../spheres/device-certifier.ts';
import type { DeviceDirectory } from '../spheres/device-directory.ts';
import { DirectMail } from '../spheres/direct-mail.ts';
import { EndpointExchange } from '../spheres/endpoint-exchange.ts';
import type { EpochCare } from '../spheres/epoch-care.ts';
import { EphemeralChannel } from '../spheres/ephemeral-channel.ts';
import type { FolderMove } from '../spheres/folder-move.ts';
import type { FolderWatch } from '../spheres/folder-watch.ts';
import { HaveWaiter } from '../spheres/have-waiter.ts';
import type { HistoryPacks } from '../spheres/history-packs.ts';
import type { Incoming } from '../spheres/incoming.ts';
import { ItemService } from '../spheres/item-service.ts';
import { ItemSource } from '../spheres/item-source.ts';
import { KeepEverything } from '../spheres/keep-everything.ts';
import type { KeyRenewal } from '../spheres/key-renewal.ts';
import type { LogExchange } from '../spheres/log-exchange.ts';
import type { Mailbox } from '../spheres/mailbox.ts';
import { Members } from '../spheres/members.ts';
import { Outgoing } from '../spheres/outgoing.ts';
import { OwnMove } from '../spheres/own-move.ts';
import type { OwnDevices } from '../spheres/own-devices.ts';
import type { OwnWords } from '../spheres/own-words.ts';
import { Reading } from '../spheres/reading.ts';
import { Recipients } from '../spheres/recipients.ts';
import type { Relocation } from '../spheres/relocation.ts';
import type { RoomMover } from '../spheres/room-mover.ts';
import type { Rooms } from '../spheres/rooms.ts';
import { SessionCare } from '../spheres/session-care.ts';
import type { ShareService } from '../spheres/share-service.ts';
import { SignalExchange } from '../spheres/signal-exchange.ts';
import { SphereList } from '../spheres/sphere-list.ts';
import { SpheresOfTwo } from '../spheres/spheres-of-two.ts';
import type { Vault } from '../spheres/vault.ts';
import { XmppCarrier } from '../spheres/xmpp-carrier.ts';
import type { Storage } from '../storage/storage.ts';
import { freeSpace } from '../torrent/free-space.ts';
import { XmppClient } from '../xmpp/client.ts';
import { roomServiceOf } from '../xmpp/features.ts';
import { ABILITIES } from './abilities.ts';
import { AccountOnline, type ServerKnowledge } from './account-online.ts';
import { joinReactions } from './account-reactions.ts';
import type { AccountSessionDeps } from './account-session-deps.ts';
import { openDevices } from './open-devices.ts';
import { openDirectory } from './open-directory.ts';
import { openIncoming } from './open-incoming.ts';
import { openLogs } from './open-logs.ts';
import { knownMembers } from './known-members.ts';
import { letPagesOpen } from './let-pages-open.ts';
import { openMoving } from './open-moving.ts';
import { openRooms } from './open-rooms.ts';
import { openOwnRun } from './own-run.ts';
import { PeopleNames } from './people-names.ts';
import { openSharing } from './open-sharing.ts';
import { personName } from './person-name.ts';
import { HistorySearch } from './search/history-search.ts';
import { settleMoves } from './settle-moves.ts';
import { makeSphereFolder } from './sphere-folder.ts';
import { tellClientState } from './tell-client-state.ts';
import { trialNote } from './trial-note.ts';
import { vaultStoreOf } from './vault-store.ts';
import { watchComputer } from './watch-computer.ts';

/** Of what goes to one person outside any sphere. */
const NO_SPHERE = '' as SphereId;
/** Archives rarely go back further; what they repeat later is recognised by its event. */
const SEEN_KEPT_MS = 180 * 24 * 3_600_000;

/** Everything that belongs to one account, put together; it lives from signing in to signing out. */
export class AccountSession implements AsyncDisposable {
  readonly own: BareJid;
  readonly storage: Storage;
  readonly client: XmppClient;
  readonly list: SphereList;
  readonly rooms: Rooms;
  readonly outgoing: Outgoing;
  readonly members: Members;
  readonly move: OwnMove;
  readonly caretaker: Caretaker;
  readonly messages: Conversation;
  readonly reading: Reading;
  readonly delivery: Delivery;
  readonly shares: ShareService;
  readonly items: ItemService;
  readonly renewal: KeyRenewal;
  readonly folderWatch: FolderWatch;
  readonly folderMove: FolderMove;
  readonly source: ItemSource;
  readonly waiter: HaveWaiter;
  readonly directory: DeviceDirectory;
  readonly people: People;
  readonly names: PeopleNames;
  readonly typing: Typing;
  readonly ofTwo: SpheresOfTwo;
  readonly devices: OwnDevices;
  readonly vault: Vault;
  readonly ownWords: OwnWords;
  readonly exchange: EndpointExchange;
  readonly signals: SignalExchange;
  readonly logs: LogExchange;
  readonly epochs: EpochCare;
  readonly relocation: Relocation;
  readonly mover: RoomMover;
  readonly packs: HistoryPacks;
  readonly search: HistorySearch;
  /** An invitation came. */
  readonly onInvitation: Emitter<string>;
  readonly scope: Scope;
  readonly online: AccountOnline;
  readonly #channel: EphemeralChannel;
  readonly #stack: AsyncDisposableStack;

  /** Nothing touches the network yet. */
  static async open(deps: AccountSessionDeps): Promise<AccountSession> {
    const { storage, login, clock, random, log } = deps;
    const own = login.jid;
    const omemo = await deps.openOmemo({ store: storage.omemo, own, clock, random, log: log.child('omemo') });
    storage.seen.prune(clock.now() - SEEN_KEPT_MS);
    await mkdir(path.join(deps.accountFolder, 'scratch'), { recursive: true, mode: 0o700 });
    const session = new AccountSession(deps, omemo);
    session.devices.certifyHere();
    await session.folderMove.settle();
    session.shares.resume();
    return session;
  }

  private constructor(deps: AccountSessionDeps, omemo: Omemo) {
    const { storage, login, identity, feed, clock, random } = deps;
    const log = deps.log.child('account');
    const server: ServerKnowledge = { features: null };
    this.#stack = new AsyncDisposableStack();
    this.own = login.jid;
    this.storage = this.#stack.use(storage);
    this.scope = new Scope({ log });
    this.onInvitation = new Emitter((error) => log.error('invitation listener failed', { error }));
    this.client = this.#stack.use(new XmppClient({ login, clock, random, log: deps.log }));
    this.directory = openDirectory({ ...deps, client: this.client, isGone: (id) => this.devices.isGone(id) });
    this.list = new SphereList({ storage, author: identity.author, own: this.own, clock, log });
    const isMailRead = (): boolean => direct.isRead;
    this.people = this.#stack.use(this.#openPeople(deps, omemo, isMailRead));
    this.names = new PeopleNames(this);
    const { incoming, mailbox } = this.#openIncoming(deps, omemo);
    this.rooms = this.#stack.use(this.#openRooms(deps, incoming, server));
    const carrier = new XmppCarrier({ client: this.client, rooms: this.rooms, abilities: ABILITIES, isMailRead });
    this.#channel = this.#openChannel(deps, carrier);
    const told = { list: this.list, channel: this.#channel, feed, clock, log: deps.log.child('exchange') };
    this.exchange = new EndpointExchange({ ...told, spawn: (name, task) => this.scope.spawn(name, task) });
    this.signals = new SignalExchange({ ...told, dialsFreely: () => this.client.dialsFreely });
    this.outgoing = this.#openOutgoing(deps, omemo, carrier);
    const compared = this.#openLogs(deps, mailbox);
    ({ logs: this.logs, epochs: this.epochs, relocation: this.relocation, mover: this.mover } = compared);
    this.packs = this.#stack.use(compared.packs);
    this.#careForSessions(deps, omemo, carrier);
    this.messages = new Conversation({ list: this.list, storage });
    this.reading = new Reading({ ...this.#following(deps), queued: () => this.outgoing.poke() });
    this.delivery = new Delivery({ ...this.#following(deps), channel: this.#channel });
    this.typing = new Typing({ ...this.#following(deps), ...this.#parts(), channel: this.#channel, log });
    const opened = this.#openDevices(deps, omemo);
    ({ devices: this.devices, vault: this.vault, ownWords: this.ownWords } = opened);
    this.#stack.defer(this.#channel.onHeard.on((device) => this.devices.seen(device)));
    ({ members: this.members, move: this.move } = this.#openMembers(deps, opened.certifier));
    this.ofTwo = this.#openSpheresOfTwo(deps);
    const keeping = { storage, list: this.list, rooms: this.rooms, own: this.own };
    this.caretaker = new Caretaker({ ...keeping, clock, random, log: log.child('caretaker') });
    this.waiter = this.#stack.use(new HaveWaiter({ feed }));
    const scratchFolder = path.join(deps.accountFolder, 'scratch');
    this.source = new ItemSource({ storage, feed, waiter: this.waiter, scratchFolder });
    this.items = this.#stack.use(this.#openItems(deps, log));
    const sharing = openSharing({ ...deps, ...this.#following(deps), items: this.items, log });
    ({ folderWatch: this.folderWatch, folderMove: this.folderMove, renewal: this.renewal } = sharing);
    this.shares = this.#stack.use(sharing.shares);
    const direct = this.#stack.use(this.#openDirectMail(deps, incoming, server));
    const run = openOwnRun({ ...deps, client: this.client, omemo }, this.#stack);
    const serving = { ...this.#parts(), ...this.#settling(deps), omemo, direct, server, run };
    this.online = this.#stack.use(new AccountOnline(serving));
    const around = { ...deps, scope: this.scope, stack: this.#stack, log };
    watchComputer({ ...around, client: this.client, exchange: this.exchange });
    tellClientState({ ...around, ...this.#parts(), carrier, channel: this.#channel });
    if (deps.keepEverything) this.#keepEverything(deps);
    this.#joinReactions(deps, log);
    const searched = { ...this.#parts(), ...this.#following(deps), own: this.own, names: this.names, log };
    this.search = this.#stack.use(new HistorySearch(searched));
    this.#stack.use(this.scope);
  }

  /** Signs in for the first time; rejects with the reason when it cannot. */
  async connect(signal: AbortSignal): Promise<void> {
    await this.client.connect(signal);
    await this.online.ready(signal);
  }

  /** Connects for as long as it takes. */
  start(): void {
    this.client.start();
  }

  /** Resolves when the server has what these items say, however long it is away. */
  async flushed(items: readonly ItemId[], signal: AbortSignal): Promise<void> {
    if (this.client.state.kind === 'failed') throw this.client.state.error;
    const events = items.map((itemId) => itemId as string as EventId);
    await this.outgoing.flushed(events, { orParked: false }, signal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  #parts() {
    const { client, list, rooms, outgoing, caretaker, items, directory, exchange, signals, logs, epochs } = this;
    const { people, ofTwo, devices, vault, ownWords, reading, delivery, packs } = this;
    const told = { exchange, signals, logs, epochs, packs, ofTwo, devices, vault, ownWords, reading, delivery };
    const { relocation, mover, renewal } = this;
    const moving = { renewal, relocation, mover, note: trialNote(this.storage) };
    return {
      client,
      list,
      rooms,
      outgoing,
      caretaker,
      members: this.members,
      items,
      directory,
      people,
      ...told,
      ...moving,
    };
  }

  #joinReactions({ feed, storage, clock, random }: AccountSessionDeps, log: Logger): void {
    const rest = { own: this.own, scope: this.scope, onInvitation: this.onInvitation, stack: this.#stack, log };
    joinReactions({ ...this.#parts(), ...rest, feed, storage, clock, random, letPagesOpen: letPagesOpen(clock) });
  }

  #settling({ storage, clock, log }: AccountSessionDeps) {
    const parts = { ...this.#parts(), storage, own: this.own, scope: this.scope, log };
    const settle = (signal: AbortSignal): Promise<void> => settleMoves(parts, signal);
    return { settleMoves: settle, scope: this.scope, clock, log: log.child('account') };
  }

  #keepEverything({ storage, clock, log }: AccountSessionDeps): void {
    const { list, items } = this;
    const parts = { storage, list, items, freeSpace, clock, log: log.child('keeper') };
    const keeper = this.#stack.use(new KeepEverything(parts));
    this.scope.spawn('keep everything', (signal) => keeper.run(signal));
  }

  #following({ storage, clock }: AccountSessionDeps) {
    const spawn = (name: string, task: (signal: AbortSignal) => Promise<void>): void => this.scope.spawn(name, task);
    return { list: this.list, storage, spawn, clock };
  }

  #openPeople(deps: AccountSessionDeps, omemo: Omemo, isMailRead: () => boolean): People {
    const { client, list, own, scope, directory: devices } = this;
    return new People({
      ...{ ...deps, client, omemo, devices, isMailRead, log: deps.log.child('people') },
      ...knownMembers({ storage: deps.storage, list, own, person: deps.identity.author.person }),
      spawn: (name, task) => scope.spawn(name, task),
    });
  }

  #openIncoming(deps: AccountSessionDeps, omemo: Omemo): ReturnType<typeof openIncoming> {
    const { contacts, talk } = this.people;
    const read = { ...this.#following(deps), omemo, own: this.own, contacts, talk, log: deps.log };
    return openIncoming({ ...read, onInvitation: this.onInvitation, parts: () => this });
  }

  #openRooms(deps: AccountSessionDeps, incoming: Incoming, server: ServerKnowledge): Rooms {
    const { client, list, own, scope } = this;
    return openRooms({
      ...{ ...deps, client, list, own, device: deps.identity.author.device.id, scope },
      service: () => server.features?.muc ?? null,
      receive: (message, signal) => incoming.receive(message, signal),
      receiveEphemeral: (message) => this.#channel.receive(message),
      settle: () => deps.storage.settle(),
      lost: () => deps.storage.lost,
    });
  }

  #openOutgoing({ storage, identity, clock, random, log }: AccountSessionDeps, omemo: Omemo, carrier: Carrier) {
    const { directory, list } = this;
    const stateOf = ({ sphereId }: { sphereId: SphereId | null }) => list.find(sphereId ?? NO_SPHERE)?.state;
    const at = { own: omemo.address, device: identity.author.device.id };
    const book = new Recipients({ directory, stateOf, ...at, storage });
    return new Outgoing({ storage, omemo, directory, carrier, book, clock, random, log: log.child('account') });
  }

  #openChannel({ storage, identity, clock, random, log }: AccountSessionDeps, carrier: Carrier): EphemeralChannel {
    const { author } = identity;
    const parts = { storage, list: this.list, carrier, author, clock, random };
    return new EphemeralChannel({ ...parts, log: log.child('ephemeral') });
  }

  #openLogs(deps: AccountSessionDeps, mailbox: Mailbox) {
    const { feed, random, log, accountFolder } = deps;
    const { client, rooms, own } = this;
    const queued = (): void => this.outgoing.poke();
    const parts = { ...this.#following(deps), channel: this.#channel, rooms, own, queued, random, log };
    const findService = (server: string, signal: AbortSignal) => roomServiceOf(client, server, signal);
    const packsFolder = path.join(accountFolder, 'packs');
    return { ...openLogs({ ...parts, mailbox, feed, packsFolder }), ...openMoving({ ...parts, findService }) };
  }

  #careForSessions({ storage, clock, random, log }: AccountSessionDeps, omemo: Omemo, carrier: Carrier): void {
    const { directory, list, people: partners } = this;
    const parts = { storage, omemo, directory, carrier, list, partners, clock, random, log: log.child('session-care') };
    const care = this.#stack.use(new SessionCare(parts));
    this.scope.spawn('care for sessions', (signal) => care.run(signal));
  }

  #openDevices({ storage, identity, spheresFolder, clock, random, log }: AccountSessionDeps, omemo: Omemo) {
    const { client, list, directory, own, rooms, people } = this;
    return openDevices({
      vaultStore: vaultStoreOf(client),
      isOnline: () => client.state.kind === 'online',
      ...{ storage, list, directory, omemo, identity, own, rooms, people, clock, random, log },
      makeFolder: (name) => makeSphereFolder(spheresFolder, name, (folder) => storage.spheres.hasFolder(folder)),
      onInvitation: (id) => this.onInvitation.emit(id),
      logs: () => this.logs,
      queued: () => this.outgoing.poke(),
      spawn: (name, task) => this.scope.spawn(name, task),
    });
  }

  #openMembers(deps: AccountSessionDeps, certifier: DeviceCertifier): { members: Members; move: OwnMove } {
    const { storage, identity, clock, random, log } = deps;
    const { list, rooms, own } = this;
    const { author } = identity;
    const flushed = (events: readonly EventId[], signal: AbortSignal): Promise<void> =>
      this.outgoing.flushed(events, { orParked: true }, signal);
    const queued = (): void => this.outgoing.poke();
    const parts = { storage, list, rooms, certifier, author, own, queued, clock, random, log: log.child('members') };
    const members = new Members({
      ...parts,
      makeFolder: (name) => makeSphereFolder(deps.spheresFolder, name, (folder) => storage.spheres.hasFolder(folder)),
      flushed: (event, signal) => flushed([event], signal),
    });
    const isOnline = (): boolean => this.client.state.kind === 'online';
    return { members, move: new OwnMove({ ...parts, person: author.person, flushed, isOnline }) };
  }

  #openSpheresOfTwo({ storage, log }: AccountSessionDeps): SpheresOfTwo {
    const { list, members, own, people, scope } = this;
    return new SpheresOfTwo({
      ...{ storage, list, members, own, nameOf: personName, log: log.child('of-two') },
      onInvitation: (id) => this.onInvitation.emit(id),
      isContact: (jid) => people.contacts.get(jid)?.standing === 'contact',
      spawn: (name, task) => scope.spawn(name, task),
    });
  }

  #openItems(deps: AccountSessionDeps, log: Logger): ItemService {
    const { source, waiter } = this;
    const { feed, files } = deps;
    return new ItemService({ ...this.#following(deps), feed, files, source, waiter, log: log.child('items') });
  }

  #openDirectMail(deps: AccountSessionDeps, incoming: Incoming, server: ServerKnowledge): DirectMail {
    return new DirectMail({
      ...{ client: this.client, own: this.own, storage: deps.storage, clock: deps.clock },
      receive: (message, signal) => incoming.receive(message, signal),
      onOwn: async (message) => {
        this.people.sender.arrived(message.id);
        await this.outgoing.arrived(message);
      },
      onNote: (note, isLive) => this.people.take(note, isLive),
      bounced: ({ from, id, error }) => {
        this.directory.bounced(from, error);
        this.people.bounced(from, id);
      },
      hasArchive: () => server.features?.archive ?? false,
      signal: this.scope.signal,
      log: deps.log.child('direct-mail'),
    });
  }
}
