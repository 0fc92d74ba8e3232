import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid, ItemId, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { Throttle } from '../base/throttle.ts';
import type { SwarmEvent } from '../contract/swarm.ts';
import type {
  AccountView,
  AppEvent,
  InvitationView,
  ItemView,
  LimitsView,
  MessageView,
  Snapshot,
  SphereView,
  SwarmView,
} from '../contract/views.ts';
import { conversationIdOf } from '../people/conversation-id.ts';
import type { TalkChange } from '../people/talk.ts';
import type { SphereChange } from '../spheres/effects.ts';
import type { ChangedSphere } from '../spheres/sphere-list.ts';
import type { SwarmFeed } from '../spheres/swarm-feed.ts';
import type { Sphere } from '../spheres/sphere.ts';
import type { ContactView, PictureView } from '../contract/people.ts';
import type { DirectMessageRow } from '../storage/direct-message-table.ts';
import type { MessageRow } from '../storage/message-table.ts';
import type { PortraitRow } from '../storage/portrait-table.ts';
import { viewAccountState } from './account-online.ts';
import type { AccountSession } from './account-session.ts';
import { viewDevice } from './device-view.ts';
import { viewItem, viewItems } from './item-view.ts';
import { viewMessage } from './message-view.ts';
import { viewChosen, viewContact, viewDirectMessage } from './people-view.ts';
import { personName } from './person-name.ts';
import { viewInvitation, viewSphere } from './sphere-view.ts';
import { Warnings } from './warnings.ts';

/** A sphere in which much comes at once is shown anew at most so often: what it shows is read from all lines and items. */
const SPHERE_PACE = { burst: 4, intervalMs: 250 };
/** Lines further back are told anew when they are looked at. */
const ON_SCREEN = 60;
const PACED: readonly SphereChange['kind'][] = ['message', 'item'];

/** Shows the state of the engine, whole or change by change. */
export class ViewSource {
  readonly onEvent: Emitter<AppEvent>;
  readonly #feed: SwarmFeed;
  readonly #clock: Clock;
  #session: AccountSession | null = null;
  /** Spheres that are not on the person's list. */
  readonly #hidden = new Set<SphereId>();
  /** What people were shown as last. */
  readonly #names = new Map<BareJid, string>();
  #limits: LimitsView = { up: 0, down: 0 };
  #swarm: Omit<SwarmView, 'state' | 'paused' | 'port'> = { downBps: 0, upBps: 0, mapped: null, peers: 0 };
  #wasPaused = false;
  #wasRunning = false;

  constructor(deps: { feed: SwarmFeed; clock: Clock; log: Logger }) {
    this.#feed = deps.feed;
    this.#clock = deps.clock;
    this.onEvent = new Emitter((error) => deps.log.error('event listener failed', { error }));
    deps.feed.onEvent.on((event) => this.#swarmChanged(event));
  }

  /** Follows the session until the returned function is called. */
  follow(session: AccountSession): () => void {
    this.#session = session;
    this.#hidden.clear();
    for (const { id, row } of session.list.all()) if (row.hidden) this.#hidden.add(id);
    this.#names.clear();
    const members = session.list.all().flatMap(({ state }) => [...state.members.keys()]);
    const known = [session.own, ...session.people.contacts.list().map(({ jid }) => jid), ...members];
    for (const jid of known) this.#names.set(jid, session.names.of(jid));
    const spawn = (name: string, task: (signal: AbortSignal) => Promise<void>) => session.scope.spawn(name, task);
    const pace = new Throttle({ ...SPHERE_PACE, clock: this.#clock, spawn });
    const stops = [
      session.client.onState.on(() => this.accountChanged()),
      session.devices.onChange.on(() => this.accountChanged()),
      session.list.onChange.on((changed) => this.#sphereChanged(session, changed, pace)),
      session.logs.withheld.onChange.on((sphere) => this.emitSphere(sphere)),
      session.folderMove.onProgress.on((id) => this.#sphereSoon(session, id, pace)),
      session.list.onChange.on(({ changes }) => {
        if (changes.some(({ kind }) => kind === 'moved')) this.accountChanged();
      }),
      session.rooms.onPresence.on((room) => {
        const sphere = session.list.ofRoom(room);
        if (sphere !== undefined) this.emitSphere(sphere);
      }),
      session.directory.onTrouble.on((jid) => {
        const asked = session.list.all().filter(({ state }) => state.members.get(jid)?.state === 'invited');
        for (const sphere of asked) this.emitSphere(sphere);
      }),
      session.items.onItem.on((itemId) => this.#itemChanged(session, itemId)),
      session.shares.onJob.on((job) => this.onEvent.emit({ kind: 'job', job })),
      session.onInvitation.on((id) => this.#invitationChanged(session, id)),
      session.people.contacts.onChange.on((jid) => this.#personChanged(session, jid)),
      session.people.devices.onChange.on((jid) => jid === session.own && this.accountChanged()),
      session.people.portraits.onChange.on((jid) => this.#profileChanged(session, jid)),
      session.typing.onChange.on((id) => this.#typingChanged(session, id)),
      session.people.talk.onChange.on((change) => this.#talkChanged(session, change)),
    ];
    for (const row of session.storage.portraits.list()) this.onEvent.emit({ kind: 'picture', ...viewPicture(row) });
    this.accountChanged();
    return () => {
      for (const stop of stops) stop();
      this.#session = null;
      for (const sphere of session.list.all()) this.onEvent.emit({ kind: 'sphere-removed', sphereId: sphere.id });
      for (const { jid } of session.people.contacts.list()) this.#personGone(jid);
      for (const { jid } of session.storage.portraits.list()) this.onEvent.emit({ kind: 'picture', jid, url: null });
      this.accountChanged();
    };
  }

  account(): AccountView | null {
    if (this.#session === null) return null;
    const { state, error } = viewAccountState(this.#session.client);
    const view = error === null ? null : { code: error.code, message: error.message };
    const own = this.#session.devices;
    const devices = own.list().map((row) => viewDevice(row, own.isEnding(row.device)));
    const programs = this.#session.people.devices.list(this.#session.own).map(viewChosen);
    const warnings = [...Warnings.list(this.#session.storage)];
    const { goingTo } = this.#session.move;
    const going = goingTo === null ? {} : { goingTo };
    const nick = this.#session.storage.account.nick;
    const name = nick === null ? {} : { name: nick };
    return { jid: this.#session.own, state, error: view, ...name, devices, programs, warnings, ...going };
  }

  sphere(sphere: Sphere): SphereView {
    const session = this.#required();
    return viewSphere(session, sphere);
  }

  items(sphere: Sphere): ItemView[] {
    return viewItems(this.#required(), sphere);
  }

  item(itemId: ItemId): ItemView | undefined {
    const { storage, items, source, list, names } = this.#required();
    const row = storage.items.get(itemId);
    const sphere = row === undefined ? undefined : list.find(row.sphereId);
    if (row === undefined || sphere === undefined) return undefined;
    return viewItem({ storage, items, source, names }, sphere, row);
  }

  message(row: MessageRow): MessageView {
    return viewMessage(this.#required(), row);
  }

  invitations(): InvitationView[] {
    const session = this.#required();
    const shown = session.storage.invitations.list('open').filter((row) => !session.ofTwo.isTaken(row));
    return shown.map((row) => viewInvitation(session, row));
  }

  people(): ContactView[] {
    const session = this.#required();
    return session.people.contacts.list().map((row) => viewContact(session, row));
  }

  person(jid: BareJid): ContactView {
    const session = this.#required();
    const row = session.people.contacts.get(jid);
    if (row === undefined) throw new AppError('not-found', 'nobody of this address is known');
    return viewContact(session, row);
  }

  directMessage(row: DirectMessageRow): MessageView {
    return viewDirectMessage(this.#required(), row);
  }

  swarm(): SwarmView {
    const running = this.#feed.running;
    const state = running ? 'running' : this.#wasRunning ? 'restarting' : 'starting';
    return { ...this.#swarm, state, port: this.#feed.port, paused: this.#isPaused };
  }

  limits(): LimitsView {
    return this.#limits;
  }

  setLimits(limits: LimitsView): void {
    this.#limits = limits;
    this.onEvent.emit({ kind: 'limits', limits });
  }

  snapshot(): Omit<Snapshot, 'seq' | 'version'> {
    const session = this.#session;
    const spheres = session?.list.all().filter(({ row }) => !row.hidden) ?? [];
    return {
      account: this.account(),
      spheres: spheres.map((sphere) => this.sphere(sphere)),
      invitations: session === null ? [] : this.invitations(),
      people: session === null ? [] : this.people(),
      pictures: session === null ? [] : session.storage.portraits.list().map(viewPicture),
      items: spheres.flatMap((sphere) => this.items(sphere)),
      jobs: session?.shares.jobs() ?? [],
      swarm: this.swarm(),
      limits: this.#limits,
    };
  }

  accountChanged(): void {
    this.onEvent.emit({ kind: 'account', account: this.account() });
  }

  /** Those on the person's list. */
  spheres(): SphereView[] {
    const shown = this.#required()
      .list.all()
      .filter(({ row }) => !row.hidden);
    return shown.map((sphere) => this.sphere(sphere));
  }

  emitSphere(sphere: Sphere): void {
    const { id, row } = sphere;
    if (row.hidden) {
      this.#hidden.add(id);
      this.onEvent.emit({ kind: 'sphere-removed', sphereId: id });
      return;
    }
    const view = this.sphere(sphere);
    this.onEvent.emit({ kind: 'sphere', sphere: view });
    // Beside what is said with the person their list tells of what is shared with them.
    if (view.partner !== null) this.#personChanged(this.#required(), view.partner);
    // Back on the list: with it went its items.
    if (this.#hidden.delete(id)) for (const item of this.items(sphere)) this.onEvent.emit({ kind: 'item', item });
  }

  emitSwarm(): void {
    this.#wasPaused = this.#isPaused;
    this.onEvent.emit({ kind: 'swarm', swarm: this.swarm() });
  }

  #sphereChanged(session: AccountSession, { sphere, changes }: ChangedSphere, pace: Throttle): void {
    for (const change of changes) {
      if (change.kind === 'message') {
        const row = session.storage.messages.get(change.id);
        if (row !== undefined) this.onEvent.emit({ kind: 'message', message: this.message(row) });
      }
      if (change.kind === 'message-gone') {
        this.onEvent.emit({ kind: 'message-removed', sphereId: sphere.id, messageId: change.id });
      }
      if (change.kind === 'item' || change.kind === 'item-deletion') this.#itemChanged(session, change.id);
      const isOffList = change.kind === 'item-gone' || change.kind === 'item-replaced';
      if (isOffList) this.onEvent.emit({ kind: 'item-removed', itemId: change.id });
    }
    const isPaced = changes.length > 0 && changes.every(({ kind }) => PACED.includes(kind));
    if (isPaced) this.#sphereSoon(session, sphere.id, pace);
    else this.emitSphere(sphere);
  }

  /** What changes many times a second is shown less often. */
  #sphereSoon(session: AccountSession, sphereId: SphereId, pace: Throttle): void {
    void pace.run(sphereId, () => {
      const sphere = session.list.find(sphereId);
      if (session === this.#session && sphere !== undefined) this.emitSphere(sphere);
      return Promise.resolve();
    });
  }

  #itemChanged(session: AccountSession, itemId: ItemId): void {
    if (session !== this.#session) return;
    const item = this.item(itemId);
    if (item !== undefined) this.onEvent.emit({ kind: 'item', item });
    if (this.#wasPaused !== this.#isPaused) this.emitSwarm();
  }

  #invitationChanged(session: AccountSession, id: string): void {
    const row = session.storage.invitations.get(id);
    if (row?.state === 'open' && !session.ofTwo.isTaken(row)) {
      this.onEvent.emit({ kind: 'invitation', invitation: viewInvitation(session, row) });
    } else this.onEvent.emit({ kind: 'invitation-removed', id });
  }

  #personChanged(session: AccountSession, jid: BareJid): void {
    const row = session.people.contacts.get(jid);
    // Whoever is known now is no stranger with their invitations either.
    const theirs = session.storage.invitations.list('open').filter(({ from }) => from === jid);
    for (const { id } of theirs) this.#invitationChanged(session, id);
    if (row === undefined) this.#personGone(jid);
    else this.onEvent.emit({ kind: 'contact', contact: viewContact(session, row) });
    this.#nameChanged(session, jid);
  }

  #profileChanged(session: AccountSession, jid: BareJid): void {
    const id = session.storage.portraits.idOf(jid);
    this.onEvent.emit({ kind: 'picture', ...(id === undefined ? { jid, url: null } : viewPicture({ jid, id })) });
    if (jid !== session.own) return;
    this.accountChanged();
    this.#nameChanged(session, jid);
  }

  /** Where two are called alike, what one is called changes how the other one is shown. */
  #nameChanged(session: AccountSession, jid: BareJid): void {
    if (!this.#takeName(session, jid)) return;
    this.#showName(session, jid);
    const others = [...this.#names.keys()].filter((other) => this.#takeName(session, other));
    for (const other of others) {
      this.#showName(session, other);
      const row = session.people.contacts.get(other);
      if (row !== undefined) this.onEvent.emit({ kind: 'contact', contact: viewContact(session, row) });
    }
  }

  /** Whether they are shown as something else since. */
  #takeName(session: AccountSession, jid: BareJid): boolean {
    const name = session.names.of(jid);
    const before = this.#names.get(jid) ?? personName(jid);
    this.#names.set(jid, name);
    return name !== before;
  }

  /** It stands in spheres and beside lines, too. */
  #showName(session: AccountSession, jid: BareJid): void {
    for (const sphere of session.list.all()) {
      if (!sphere.state.members.has(jid) || sphere.row.hidden) continue;
      this.emitSphere(sphere);
      const lines = session.storage.messages.newest(sphere.id, ON_SCREEN).filter(({ from }) => from === jid);
      for (const row of lines) this.onEvent.emit({ kind: 'message', message: this.message(row) });
    }
  }

  #personGone(jid: BareJid): void {
    this.onEvent.emit({ kind: 'contact-removed', jid, conversationId: conversationIdOf(jid) });
  }

  #talkChanged(session: AccountSession, { peer, id }: TalkChange): void {
    const row = session.storage.directMessages.get(id);
    if (row !== undefined) this.onEvent.emit({ kind: 'message', message: viewDirectMessage(session, row) });
    else this.onEvent.emit({ kind: 'message-removed', sphereId: conversationIdOf(peer), messageId: id });
  }

  #typingChanged(session: AccountSession, sphereId: SphereId): void {
    if (session !== this.#session) return;
    const people = session.typing.whoIn(sphereId).map((jid) => session.names.of(jid));
    this.onEvent.emit({ kind: 'typing', sphereId, people });
  }

  #swarmChanged(event: SwarmEvent): void {
    if (event.kind === 'totals') {
      this.#wasRunning = true;
      const { downBps, upBps, peers } = event;
      this.#swarm = { ...this.#swarm, downBps, upBps, peers };
      this.emitSwarm();
    }
    if (event.kind === 'candidates') {
      this.#swarm = { ...this.#swarm, mapped: event.mapped };
      this.emitSwarm();
    }
  }

  get #isPaused(): boolean {
    return this.#session?.items.isAllPaused ?? false;
  }

  #required(): AccountSession {
    if (this.#session === null) throw new AppError('no-account', 'nobody is signed in');
    return this.#session;
  }
}

function viewPicture({ jid, id }: Pick<PortraitRow, 'jid' | 'id'>): PictureView {
  return { jid, url: `/preview/portrait-${id}` };
}
