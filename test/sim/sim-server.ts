import { AppError } from '../../src/base/errors.ts';
import type { BareJid } from '../../src/base/id.ts';
import type { OmemoBundle } from '../../src/omemo/types.ts';
import type { Element } from '../../src/xmpp/element.ts';
import type { RoomMessage } from '../../src/xmpp/room-types.ts';
import type { Affiliation } from '../../src/xmpp/xep/0045-muc.ts';
import type { SimLink } from './sim-link.ts';
import type { SimRoomPort } from './sim-room-port.ts';

/** A message as a room or an account's archive keeps it. */
export interface Kept {
  readonly id: string;
  readonly from: BareJid;
  readonly stanza: Element;
  readonly atMs: number;
}

export class SimAccount {
  /** What the server says are the account's OMEMO devices; it may lie. */
  deviceIds: number[] = [];
  readonly bundles = new Map<number, OmemoBundle>();
  readonly mail: Kept[] = [];
  /** Chunks of the vault, by slot and index. */
  vault = new Map<string, Uint8Array>();
  /** Its devices that are online. */
  readonly links = new Set<SimLink>();
}

export class SimRoom {
  readonly affiliations = new Map<BareJid, Affiliation>();
  readonly archive: Kept[] = [];
  readonly ports = new Set<SimRoomPort>();
}

/** A chat server in memory. It keeps what is said and delivers it, and misbehaves as a test wants. */
export class SimServer {
  readonly accounts = new Map<BareJid, SimAccount>();
  readonly rooms = new Map<BareJid, SimRoom>();
  /** Who is present with an ordinary program, which says nothing of our messages. */
  readonly ordinary = new Set<BareJid>();
  /** What an archive answers; the truth unless a test wants another one. */
  answerHistory: (entries: readonly Kept[], room: BareJid) => readonly Kept[] = (entries) => entries;
  /** What becomes of a live message for one receiver: none, one or several. */
  deliver: (message: RoomMessage, to: BareJid) => readonly RoomMessage[] = (message) => [message];
  /** What happens meanwhile when a room is made, or somebody gets a right in one. */
  onRoomWork: (work: 'create' | 'admit') => Promise<void> = () => Promise.resolve();
  /** Rooms whose service does not answer. */
  readonly away = new Set<BareJid>();
  /** Room services that are gone, with all their rooms. */
  readonly stopped = new Set<string>();
  /** Room services that let nobody make a room. */
  readonly refusing = new Set<string>();
  /** Rooms that were removed, and the one that takes the place. */
  readonly destroyed = new Map<BareJid, BareJid | null>();
  /** How many messages were given to it. */
  sent = 0;
  readonly #nowMs: () => number;
  #ids = 0;

  constructor(deps: { nowMs: () => number }) {
    this.#nowMs = deps.nowMs;
  }

  account(jid: BareJid): SimAccount {
    const account = this.accounts.get(jid) ?? new SimAccount();
    this.accounts.set(jid, account);
    return account;
  }

  room(address: BareJid): SimRoom {
    const room = this.rooms.get(address);
    if (room === undefined) throw new AppError('not-found', 'no such room');
    return room;
  }

  /** The archive id. */
  sayInRoom(address: BareJid, from: BareJid, stanza: Element, isStored = true): string {
    const kept = this.#keep(from, stanza);
    const room = this.room(address);
    if (isStored) room.archive.push(kept);
    for (const port of room.ports) {
      for (const message of this.deliver(liveMessage(kept, isStored), port.own)) port.receive(message);
    }
    return kept.id;
  }

  sayTo(jid: BareJid, from: BareJid, stanza: Element): void {
    const kept = this.#keep(from, stanza);
    const account = this.account(jid);
    account.mail.push(kept);
    for (const link of account.links) link.receive(kept);
  }

  setAffiliation(address: BareJid, jid: BareJid, affiliation: Affiliation): void {
    const room = this.room(address);
    if (affiliation === 'none') room.affiliations.delete(jid);
    else room.affiliations.set(jid, affiliation);
    if (affiliation !== 'none') return;
    const gone = [...room.ports].filter((port) => port.own === jid);
    for (const port of gone) port.throwOut();
    if (gone.length > 0) for (const port of room.ports) port.onExpelled.emit(address);
  }

  /** The service of a room goes away, or comes back. */
  async setAway(address: BareJid, isAway: boolean): Promise<void> {
    if (isAway) this.away.add(address);
    else this.away.delete(address);
    const links = [...this.accounts.values()].flatMap((account) => [...account.links]);
    for (const port of links.flatMap((link) => [...link.ports])) {
      if (port.address !== address) continue;
      if (isAway) port.connectionLost();
      else await port.connectionBack();
    }
  }

  /** A room service goes away for good. */
  async stop(service: string): Promise<void> {
    this.stopped.add(service);
    for (const address of this.rooms.keys()) if (serviceOf(address) === service) await this.setAway(address, true);
  }

  assertThere(address: BareJid): void {
    if (!this.away.has(address) && !this.stopped.has(serviceOf(address))) return;
    throw new AppError('server-unreachable', 'no answer from the service');
  }

  /** Servers have their rooms at `rooms.` and their name. */
  async findService(server: string): Promise<string> {
    const service = server.startsWith('rooms.') ? server : `rooms.${server}`;
    if (this.stopped.has(service)) throw new AppError('server-unreachable', 'no answer from the server');
    return service;
  }

  newId(): string {
    this.#ids += 1;
    return `id-${this.#ids}`;
  }

  #keep(from: BareJid, stanza: Element): Kept {
    this.sent += 1;
    return { id: this.newId(), from, stanza, atMs: this.#nowMs() };
  }
}

export function serviceOf(address: BareJid): string {
  return address.slice(address.indexOf('@') + 1);
}

export function liveMessage({ id, from, stanza }: Kept, isStored = true): RoomMessage {
  const stanzaId = isStored ? id : null;
  return { stanza, from, nick: from, stanzaId, archived: false, isReflection: false, delayMs: null };
}

export function archivedMessage(kept: Kept): RoomMessage {
  return { ...liveMessage(kept), archived: true, delayMs: kept.atMs };
}
