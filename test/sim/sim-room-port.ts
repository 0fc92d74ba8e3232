import { Emitter } from '../../src/base/emitter.ts';
import { AppError, errorCode } from '../../src/base/errors.ts';
import type { BareJid } from '../../src/base/id.ts';
import { ABILITIES } from '../../src/engine/abilities.ts';
import type { RoomPort } from '../../src/spheres/room-port.ts';
import type { Element } from '../../src/xmpp/element.ts';
import type { Occupant, RefusalReason, RoomMessage, RoomState } from '../../src/xmpp/room-types.ts';
import type { Affiliate, Affiliation } from '../../src/xmpp/xep/0045-muc.ts';
import { capsVersion } from '../../src/xmpp/xep/0115-caps.ts';
import type { SimLink } from './sim-link.ts';
import type { SimServer } from './sim-server.ts';
import { archivedMessage, serviceOf, SimRoom } from './sim-server.ts';

const CAPS = { node: 'https://spherecast.org', ver: capsVersion(ABILITIES) };

/** One person's view of a room of the server in memory. */
export class SimRoomPort implements RoomPort {
  readonly onState = new Emitter<RoomState>();
  readonly onMessage = new Emitter<RoomMessage>();
  readonly onOccupants = new Emitter<readonly Occupant[]>();
  readonly onExpelled = new Emitter<BareJid>();
  readonly own: BareJid;
  readonly address: BareJid;
  readonly #server: SimServer;
  readonly #link: SimLink;
  #state: RoomState = { kind: 'outside' };
  #isWanted = false;

  constructor(deps: { server: SimServer; link: SimLink; address: BareJid }) {
    this.#server = deps.server;
    this.#link = deps.link;
    this.address = deps.address;
    this.own = deps.link.jid;
    deps.link.ports.add(this);
  }

  get fullJid(): string {
    return this.#link.fullJid;
  }

  get state(): RoomState {
    return this.#state;
  }

  get occupants(): readonly Occupant[] {
    const ports = [...(this.#server.rooms.get(this.address)?.ports ?? [])];
    const rest = { affiliation: 'member', occupantId: null } as const;
    return ports.map(({ own, fullJid }) => {
      const caps = this.#server.ordinary.has(own) ? null : CAPS;
      return { nick: fullJid, jid: own, fullJid, caps, ...rest };
    });
  }

  async create(): Promise<void> {
    this.#assertOnline();
    this.#server.assertThere(this.address);
    if (this.#server.refusing.has(serviceOf(this.address))) throw new AppError('not-allowed', 'no rooms for strangers');
    if (this.#server.rooms.has(this.address)) throw new AppError('conflict', 'the room exists already');
    const room = new SimRoom();
    room.affiliations.set(this.own, 'owner');
    this.#server.rooms.set(this.address, room);
    await this.#server.onRoomWork('create');
    await this.join();
  }

  async join(): Promise<void> {
    this.#assertOnline();
    this.#server.assertThere(this.address);
    const room = this.#server.room(this.address);
    if (!room.affiliations.has(this.own)) throw new AppError('not-a-member', 'the room is for members');
    this.#isWanted = true;
    room.ports.add(this);
    this.#setState({ kind: 'inside' });
    for (const port of room.ports) port.onOccupants.emit(port.occupants);
    await Promise.resolve();
  }

  async destroy(next: BareJid | null): Promise<void> {
    this.#assertOnline();
    this.#server.assertThere(this.address);
    const room = this.#server.room(this.address);
    if (room.affiliations.get(this.own) !== 'owner') throw new AppError('not-allowed', 'only its owner removes a room');
    this.#server.rooms.delete(this.address);
    this.#server.destroyed.set(this.address, next);
    this.#isWanted = false;
    for (const port of room.ports) port.#refuse('destroyed');
  }

  keep(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    void this.connectionBack();
  }

  async invite(jid: BareJid): Promise<void> {
    this.#assertInside();
    for (const link of this.#server.account(jid).links) await link.invited(this.address);
  }

  async affiliations(): Promise<readonly Affiliate[]> {
    this.#assertOnline();
    this.#server.assertThere(this.address);
    const { affiliations } = this.#server.room(this.address);
    return [...affiliations].map(([jid, affiliation]) => ({ jid, affiliation }));
  }

  async setAffiliation(jid: BareJid, affiliation: Affiliation): Promise<void> {
    this.#assertOnline();
    this.#server.assertThere(this.address);
    const { affiliations } = this.#server.room(this.address);
    const own = affiliations.get(this.own);
    // XEP-0045 §5.2.2: admins decide about members only.
    const isOfMembers = [affiliations.get(jid) ?? 'none', affiliation].every(
      (one) => one !== 'owner' && one !== 'admin',
    );
    if (own !== 'owner' && !(own === 'admin' && isOfMembers)) {
      throw new AppError('not-allowed', 'only the owner decides who is in');
    }
    await this.#server.onRoomWork('admit');
    this.#assertOnline();
    this.#server.setAffiliation(this.address, jid, affiliation);
  }

  async send(stanza: Element, signal: AbortSignal): Promise<string | null> {
    this.#assertInside();
    await unlessAborted(this.#link.beforeSend(stanza), signal);
    const id = this.#server.sayInRoom(this.address, this.own, stanza);
    await unlessAborted(this.#link.afterSend(stanza), signal);
    return id;
  }

  async sendNow(stanza: Element): Promise<void> {
    this.#assertInside();
    this.#server.sayInRoom(this.address, this.own, stanza, false);
  }

  async *history(after: string | null): AsyncGenerator<RoomMessage, void, undefined> {
    this.#assertInside();
    const { archive } = this.#server.room(this.address);
    const from = archive.findIndex(({ id }) => id === after) + 1;
    for (const kept of this.#server.answerHistory(archive.slice(from), this.address)) {
      this.#assertInside();
      yield archivedMessage(kept);
    }
  }

  receive(message: RoomMessage): void {
    // As over a connection: in order, and not within the call that sent it.
    setImmediate(() => this.#isInside() && this.onMessage.emit(message));
  }

  /** The right to be here is gone. */
  throwOut(): void {
    this.#refuse('not-a-member');
  }

  #refuse(reason: RefusalReason): void {
    this.#leaveRoom();
    this.#setState({ kind: 'refused', reason });
  }

  /** What the real room does by itself: at once for news, slowly otherwise. */
  async tryAgain(address: BareJid): Promise<void> {
    if (address === this.address && this.#state.kind === 'refused') await this.connectionBack();
  }

  connectionLost(): void {
    this.#leaveRoom();
    if (this.#isWanted && this.#state.kind !== 'outside') this.#setState({ kind: 'entering' });
  }

  async connectionBack(): Promise<void> {
    if (!this.#isWanted) return;
    try {
      await this.join();
    } catch (error) {
      // Where nobody answers nothing is refused.
      if (errorCode(error) === 'server-unreachable') this.#setState({ kind: 'entering' });
      else if (errorCode(error) === 'not-found') this.#refuse('destroyed');
      else if (errorCode(error) !== 'disconnected') this.throwOut();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#link.ports.delete(this);
    this.#isWanted = false;
    this.#leaveRoom();
    await Promise.resolve();
  }

  #isInside(): boolean {
    return this.#state.kind === 'inside';
  }

  #leaveRoom(): void {
    const ports = this.#server.rooms.get(this.address)?.ports;
    if (ports?.delete(this) === true) for (const port of ports) port.onOccupants.emit(port.occupants);
  }

  #setState(state: RoomState): void {
    this.#state = state;
    this.onState.emit(state);
  }

  #assertOnline(): void {
    if (this.#link.state.kind !== 'online') throw new AppError('disconnected', 'not online');
  }

  #assertInside(): void {
    this.#assertOnline();
    if (!this.#isInside()) throw new AppError('disconnected', 'not in the room');
  }
}

function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  return Promise.race([work, aborted]);
}
