import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../src/base/clock.ts';
import { Emitter } from '../../src/base/emitter.ts';
import type { BareJid, EventId, SphereId } from '../../src/base/id.ts';
import type { Logger } from '../../src/base/log.ts';
import { systemRandom } from '../../src/base/random.ts';
import { Scope } from '../../src/base/scope.ts';
import { ABILITIES } from '../../src/engine/abilities.ts';
import { joinReactions } from '../../src/engine/account-reactions.ts';
import type { AccountSession } from '../../src/engine/account-session.ts';
import type { OwnIdentity } from '../../src/engine/own-identity.ts';
import { knownMembers } from '../../src/engine/known-members.ts';
import { openIdentity } from '../../src/engine/own-identity.ts';
import { openIncoming } from '../../src/engine/open-incoming.ts';
import { openLogs } from '../../src/engine/open-logs.ts';
import { openMoving } from '../../src/engine/open-moving.ts';
import { openDevices } from '../../src/engine/open-devices.ts';
import { PeopleNames } from '../../src/engine/people-names.ts';
import { personName } from '../../src/engine/person-name.ts';
import { makeSphereFolder } from '../../src/engine/sphere-folder.ts';
import { Omemo } from '../../src/omemo/omemo.ts';
import type { SignalLibrary } from '../../src/omemo/signal-types.ts';
import { People } from '../../src/people/people.ts';
import { Typing } from '../../src/people/typing.ts';
import { Caretaker } from '../../src/spheres/caretaker.ts';
import { Continuation } from '../../src/spheres/continuation.ts';
import { Conversation } from '../../src/spheres/conversation.ts';
import { Delivery } from '../../src/spheres/delivery.ts';
import { DeviceDirectory } from '../../src/spheres/device-directory.ts';
import { DirectMail } from '../../src/spheres/direct-mail.ts';
import { EndpointExchange } from '../../src/spheres/endpoint-exchange.ts';
import type { EpochCare } from '../../src/spheres/epoch-care.ts';
import { EphemeralChannel } from '../../src/spheres/ephemeral-channel.ts';
import { HaveWaiter } from '../../src/spheres/have-waiter.ts';
import type { HistoryPacks } from '../../src/spheres/history-packs.ts';
import type { IncomingMessage } from '../../src/spheres/incoming-message.ts';
import type { Incoming } from '../../src/spheres/incoming.ts';
import { ItemService } from '../../src/spheres/item-service.ts';
import { ItemSource } from '../../src/spheres/item-source.ts';
import { KeyRenewal } from '../../src/spheres/key-renewal.ts';
import type { LogExchange } from '../../src/spheres/log-exchange.ts';
import { Members } from '../../src/spheres/members.ts';
import { NewOwner } from '../../src/spheres/new-owner.ts';
import { Outgoing } from '../../src/spheres/outgoing.ts';
import { OwnMove } from '../../src/spheres/own-move.ts';
import type { OwnDevices } from '../../src/spheres/own-devices.ts';
import type { OwnWords } from '../../src/spheres/own-words.ts';
import { exportPkcs8 } from '../../src/spheres/protocol/keys.ts';
import { Reading } from '../../src/spheres/reading.ts';
import { Recipients } from '../../src/spheres/recipients.ts';
import { FolderMove } from '../../src/spheres/folder-move.ts';
import { FolderWatch } from '../../src/spheres/folder-watch.ts';
import type { Relocation } from '../../src/spheres/relocation.ts';
import type { RoomMover } from '../../src/spheres/room-mover.ts';
import { Rooms } from '../../src/spheres/rooms.ts';
import { SessionCare } from '../../src/spheres/session-care.ts';
import { ShareService } from '../../src/spheres/share-service.ts';
import { SignalExchange } from '../../src/spheres/signal-exchange.ts';
import type { Sphere } from '../../src/spheres/sphere.ts';
import { SphereList } from '../../src/spheres/sphere-list.ts';
import { SpheresOfTwo } from '../../src/spheres/spheres-of-two.ts';
import { SwarmFeed } from '../../src/spheres/swarm-feed.ts';
import type { Vault } from '../../src/spheres/vault.ts';
import { XmppCarrier } from '../../src/spheres/xmpp-carrier.ts';
import type { MessageRow } from '../../src/storage/message-table.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { FakeSwarm } from '../fixtures/fake-swarm.ts';
import { mediaOfNothing } from '../fixtures/media-of-nothing.ts';
import type { StorageFolder } from '../fixtures/storage.ts';
import { SimLink } from './sim-link.ts';
import { SimRoomPort } from './sim-room-port.ts';
import type { SimServer } from './sim-server.ts';

export interface SimDeps {
  readonly server: SimServer;
  readonly jid: BareJid;
  readonly folder: StorageFolder;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: SignalLibrary;
  /** Sees the database before the program does. */
  readonly prepare: (storage: Storage) => void;
}

/** Everything of one run of one account's program, over the server in memory. */
export class SimSession {
  readonly own: BareJid;
  readonly link: SimLink;
  readonly swarm = new FakeSwarm();
  readonly feed: SwarmFeed;
  readonly storage: Storage;
  readonly identity: OwnIdentity;
  readonly omemo: Omemo;
  readonly directory: DeviceDirectory;
  readonly people: People;
  readonly names: PeopleNames;
  readonly typing: Typing;
  readonly ofTwo: SpheresOfTwo;
  readonly devices: OwnDevices;
  readonly vault: Vault;
  readonly ownWords: OwnWords;
  readonly list: SphereList;
  readonly rooms: Rooms;
  readonly outgoing: Outgoing;
  readonly incoming: Incoming;
  readonly members: Members;
  readonly caretaker: Caretaker;
  readonly newOwner: NewOwner;
  readonly move: OwnMove;
  readonly continuation: Continuation;
  readonly messages: Conversation;
  readonly reading: Reading;
  readonly delivery: Delivery;
  readonly items: ItemService;
  readonly source: ItemSource;
  readonly shares: ShareService;
  readonly folderWatch: FolderWatch;
  readonly folderMove: FolderMove;
  readonly renewal: KeyRenewal;
  readonly channel: EphemeralChannel;
  readonly exchange: EndpointExchange;
  /** Whether its network lets more out than the web. */
  dialsFreely = true;
  readonly signals: SignalExchange;
  readonly logs: LogExchange;
  readonly epochs: EpochCare;
  readonly relocation: Relocation;
  readonly mover: RoomMover;
  readonly packs: HistoryPacks;
  readonly direct: DirectMail;
  readonly onInvitation = new Emitter<string>();
  readonly scope: Scope;
  /** Messages that are being read. */
  inHand = 0;
  readonly #stack = new AsyncDisposableStack();
  readonly #deps: SimDeps;

  static async open(deps: SimDeps): Promise<SimSession> {
    const { clock, log, jid, signal } = deps;
    const storage = deps.folder.open();
    deps.prepare(storage);
    const own = { store: storage.omemo, own: jid };
    const omemo = await Omemo.open({ ...own, clock, random: systemRandom, log, signal });
    await mkdir(join(deps.folder.folder, 'scratch'), { recursive: true });
    const session = new SimSession(deps, storage, omemo);
    await session.#feedSwarm();
    session.shares.resume();
    return session;
  }

  private constructor(deps: SimDeps, storage: Storage, omemo: Omemo) {
    const { server, jid: own, clock, log, folder } = deps;
    const random = systemRandom;
    this.#deps = deps;
    this.own = own;
    this.omemo = omemo;
    this.storage = this.#stack.use(storage);
    this.identity = openIdentity(storage.identity, random);
    const { author } = this.identity;
    this.scope = new Scope({ log });
    this.link = new SimLink({ server, jid: own });
    this.feed = new SwarmFeed({ clock, log });
    const isGone = (jid: BareJid, deviceId: number): boolean => jid === own && this.devices.isGone(deviceId);
    this.directory = new DeviceDirectory({ nodes: this.link, known: storage.knownDevices, isGone, clock, log });
    this.list = new SphereList({ storage, author, own, clock, log });
    this.people = this.#stack.use(
      new People({
        ...{ client: this.link, storage, omemo, devices: this.directory, clock, random, log },
        ...knownMembers({ storage, list: this.list, own, person: author.person }),
        sharesSphere: () => false,
        isMailRead: () => true,
        media: mediaOfNothing,
        spawn: (name, task) => this.scope.spawn(name, task),
      }),
    );
    this.names = new PeopleNames(this);
    const { contacts } = this.people;
    const { onInvitation } = this;
    const read = { storage, omemo, own, list: this.list, contacts, onInvitation, parts: () => this, clock, log };
    const { incoming, mailbox } = openIncoming(read);
    this.incoming = incoming;
    this.rooms = this.#stack.use(this.#openRooms());
    const carrier = new XmppCarrier({
      client: this.link,
      rooms: this.rooms,
      abilities: ABILITIES,
      isMailRead: () => this.direct.isRead,
    });
    const spawn = (name: string, task: (signal: AbortSignal) => Promise<void>): void => this.scope.spawn(name, task);
    this.channel = new EphemeralChannel({ storage, list: this.list, carrier, author, clock, random, log });
    const told = { list: this.list, channel: this.channel, feed: this.feed, spawn, clock, log };
    this.typing = new Typing({ ...told, client: this.link, people: this.people });
    this.exchange = new EndpointExchange(told);
    this.signals = new SignalExchange({ ...told, dialsFreely: () => this.dialsFreely });
    const stateOf = (row: { sphereId: SphereId | null }) => this.list.find(row.sphereId ?? ('' as SphereId))?.state;
    const at = { own: omemo.address, device: author.device.id };
    const book = new Recipients({ directory: this.directory, stateOf, ...at, storage });
    this.outgoing = new Outgoing({ storage, omemo, directory: this.directory, carrier, book, clock, random, log });
    const caring = { storage, omemo, directory: this.directory, carrier, list: this.list, partners: this.people };
    const care = this.#stack.use(new SessionCare({ ...caring, clock, random, log }));
    this.scope.spawn('care for sessions', (stop) => care.run(stop));
    const compare = { mailbox, feed: this.feed, packsFolder: join(folder.folder, 'packs'), spawn };
    const { logs, epochs, packs } = openLogs({
      ...{ storage, list: this.list, channel: this.channel, rooms: this.rooms, clock, random, log, ...compare },
      queued: () => this.outgoing.poke(),
    });
    this.logs = logs;
    this.packs = this.#stack.use(packs);
    this.epochs = epochs;
    ({ relocation: this.relocation, mover: this.mover } = openMoving({
      ...{ storage, list: this.list, rooms: this.rooms, channel: this.channel, own, clock, random, log },
      findService: (service) => server.findService(service),
      queued: () => this.outgoing.poke(),
    }));
    this.messages = new Conversation({ list: this.list, storage });
    const following = { list: this.list, storage, spawn, clock };
    this.reading = new Reading({ ...following, queued: () => this.outgoing.poke() });
    this.delivery = new Delivery({ ...following, channel: this.channel });
    const parts = { storage, list: this.list, rooms: this.rooms, own, clock, random, log };
    this.newOwner = new NewOwner({ list: this.list, clock });
    this.caretaker = new Caretaker(parts);
    const makeFolder = (name: string): Promise<string> => makeSphereFolder(join(folder.folder, 'spheres'), name);
    const { certifier, devices, vault, ownWords } = openDevices({
      ...{ ...parts, directory: this.directory, omemo, identity: this.identity, makeFolder, spawn, clock },
      onInvitation: (id) => this.onInvitation.emit(id),
      logs: () => this.logs,
      vaultStore: this.link,
      people: this.people,
      isOnline: () => this.link.state.kind === 'online',
      queued: () => this.outgoing.poke(),
    });
    this.devices = devices;
    this.vault = vault;
    this.ownWords = ownWords;
    this.#stack.defer(this.channel.onHeard.on((device) => devices.seen(device)));
    this.members = new Members({
      ...parts,
      certifier,
      author,
      makeFolder,
      flushed: (event, signal) => this.outgoing.flushed([event], { orParked: true }, signal),
      queued: () => this.outgoing.poke(),
      clock,
    });
    this.move = new OwnMove({
      ...parts,
      certifier,
      person: author.person,
      flushed: (events, signal) => this.outgoing.flushed(events, { orParked: true }, signal),
      queued: () => this.outgoing.poke(),
      isOnline: () => this.link.state.kind === 'online',
    });
    this.ofTwo = new SpheresOfTwo({
      ...{ storage, list: this.list, members: this.members, own, nameOf: personName, spawn, log },
      onInvitation: (id) => this.onInvitation.emit(id),
      isContact: (jid) => this.people.contacts.get(jid)?.standing === 'contact',
    });
    this.continuation = new Continuation({ list: this.list, members: this.members, own, log });
    const waiter = this.#stack.use(new HaveWaiter({ feed: this.feed }));
    const { feed, list } = this;
    this.source = new ItemSource({ storage, feed, waiter, scratchFolder: join(folder.folder, 'scratch') });
    this.items = new ItemService({ storage, list, feed, source: this.source, waiter, spawn, clock, log });
    const activate: ItemService['activate'] = (itemId, signal) => this.items.activate(itemId, signal);
    const letGo: ItemService['edits']['letGo'] = (itemId) => this.items.edits.letGo(itemId);
    const sharing = { storage, list, feed, spawn, clock, random, log };
    this.shares = this.#stack.use(new ShareService({ ...sharing, media: mediaOfNothing, activate, letGo }));
    this.folderWatch = new FolderWatch({ ...sharing, shares: this.shares });
    this.folderMove = new FolderMove({ ...sharing, items: this.items });
    this.renewal = new KeyRenewal({ storage, list, shares: this.shares, clock, random, log });
    this.direct = this.#stack.use(
      new DirectMail({
        client: this.link,
        own,
        storage,
        receive: (message, signal) => this.#receive(message, signal),
        onOwn: (message) => this.outgoing.arrived(message),
        onNote: (note, isLive) => this.people.take(note, isLive),
        bounced: ({ from, error }) => this.directory.bounced(from, error),
        hasArchive: () => true,
        signal: this.scope.signal,
        clock,
        log,
      }),
    );
    const { rooms, outgoing, caretaker, items, renewal, exchange, signals, scope, reading, delivery } = this;
    joinReactions({
      ...{ list, rooms, outgoing, caretaker, members: this.members, items, renewal, exchange, signals, logs, epochs },
      ...{ packs, devices, vault, ownWords, reading, delivery },
      ...{ people: this.people, ofTwo: this.ofTwo, onInvitation: this.onInvitation, relocation: this.relocation },
      ...{ feed, storage, own, scope, clock, random, log },
      stack: this.#stack,
      letPagesOpen: () => Promise.resolve(),
    });
    this.#stack.use(this.scope);
  }

  /** What happens in every new session with the server. */
  async goOnline(): Promise<void> {
    const { signal } = this.scope;
    await this.link.goOnline();
    this.directory.forget();
    await this.directory.publishOwn(this.own, this.omemo.deviceId, this.omemo.bundle(), signal);
    for (const room of this.list.wantedRooms()) this.rooms.keepJoined(room);
    await this.direct.catchUp();
    await this.devices.begin();
    this.ofTwo.takeInvitations();
    this.vault.begin();
    this.outgoing.keysChanged();
    await this.mover.takeBack(signal);
  }

  /** Whether something waits that could leave now and was not tried in vain before. */
  get canSend(): boolean {
    if (this.link.state.kind !== 'online' || this.outgoing.isIdle) return false;
    const isReachable = (to: BareJid): boolean => !to.includes('@rooms.') || this.rooms.isInside(to);
    return this.storage.outbox.list('queued').some(({ to, attempts }) => attempts === 0 && isReachable(to));
  }

  /** As the parts of the engine that show things see it. */
  get shown(): AccountSession {
    return Object.assign(Object.create(this), { client: this.link }) as AccountSession;
  }

  /** The first sphere, or the one with this name. */
  sphere(name?: string): Sphere {
    const sphere = this.list.all().find(({ state }) => name === undefined || state.name === name);
    if (sphere === undefined) throw new Error(`no sphere ${name ?? ''}`);
    return sphere;
  }

  lines(): MessageRow[] {
    return this.storage.messages.newest(this.sphere().id, 1000);
  }

  /** What people wrote, in the order shown, with what is shown instead when it cannot be read. */
  texts(): string[] {
    return this.lines()
      .filter(({ kind }) => kind === 'text')
      .map(({ text, state }) => (state === 'forged' || state === 'undecryptable' ? `(${state})` : text));
  }

  eventIds(): EventId[] {
    return this.sphere()
      .log.events()
      .map(({ id }) => id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.link.goOffline();
    await this.#stack.disposeAsync();
  }

  async #feedSwarm(): Promise<void> {
    const { device } = this.identity;
    this.scope.spawn('swarm', (signal) => this.feed.attach(this.swarm.calls, signal));
    const rest = { dataPort: 0, addresses: [], mapPorts: false, discoverLan: false, tracker: true, extraPorts: [] };
    await this.feed.setIdentity({ deviceKey: device.id, devicePrivateKey: exportPkcs8(device), ...rest });
  }

  #openRooms(): Rooms {
    const { server, clock, log } = this.#deps;
    return new Rooms({
      openRoom: (address) => new SimRoomPort({ server, link: this.link, address }),
      service: () => 'rooms.sim',
      receive: (message, signal) => this.#receive(message, signal),
      receiveEphemeral: (message) => this.channel.receive(message),
      cursor: { get: (room) => this.list.cursorOf(room), set: (room, id) => this.list.noteCursor(room, id) },
      settle: () => this.storage.settle(),
      lost: () => this.storage.lost,
      spawn: (name, task) => this.scope.spawn(name, task),
      signal: this.scope.signal,
      clock,
      random: systemRandom,
      log,
    });
  }

  async #receive(message: IncomingMessage, signal: AbortSignal): Promise<void> {
    this.inHand += 1;
    try {
      await this.incoming.receive(message, signal);
    } finally {
      this.inHand -= 1;
    }
  }
}
