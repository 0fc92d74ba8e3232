import { toHex } from '../base/bytes.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { BareJid, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Decrypted, Omemo } from '../omemo/omemo.ts';
import type { OmemoChanges } from '../omemo/store.ts';
import type { MessageRow } from '../storage/message-table.ts';
import type { Storage } from '../storage/storage.ts';
import { isDeviceProven } from './device-proof.ts';
import type { DirectLine, DirectTalk } from './direct-talk.ts';
import { GatheredChanges } from './gathered-changes.ts';
import type { IncomingMessage, OwnMessage } from './incoming-message.ts';
import type { Introductions } from './introductions.ts';
import { KnownMessages } from './known-messages.ts';
import { lineId } from './line-id.ts';
import type { Mailbox, PackOffer } from './mailbox.ts';
import { isOwnFault } from './own-fault.ts';
import type { SphereChange } from './effects.ts';
import { readHello } from './protocol/hello.ts';
import type { SignedEvent } from './protocol/event.ts';
import type { Sphere } from './sphere.ts';

export interface IncomingDeps {
  readonly storage: Storage;
  readonly omemo: Omemo;
  readonly mailbox: Mailbox;
  /** The sphere whose room this is. */
  readonly sphereOfRoom: (room: NonNullable<IncomingMessage['room']>) => Sphere | undefined;
  readonly sphereOfId: (id: SphereId) => Sphere | undefined;
  /** A line could not be read: what it said is asked for. */
  readonly onUnread: (sphere: Sphere, isEvent: boolean) => void;
  /** After the transaction: what became different, of what a room's archive gives all that came without a pause. */
  readonly onChanges: (sphere: Sphere, changes: readonly SphereChange[]) => void;
  /** A member gave us in another way than the room what was not here. */
  readonly onGiven?: (sphere: Sphere, events: readonly SignedEvent[], by: BareJid) => void;
  /** The sphere's room gave us events. */
  readonly onHeard?: (sphere: Sphere, events: readonly SignedEvent[]) => void;
  /** The sphere's room gave us live what is new; the same for a message that came before, at this time, under another id. */
  readonly onLive?: (sphere: Sphere, event: SignedEvent, from: BareJid) => void;
  readonly onRepeated?: (sphere: Sphere, firstMs: number) => void;
  /** A room has a message that this device sent. */
  readonly onOwn: (message: OwnMessage) => Promise<void>;
  /** Takes what is said one to one; without it such lines are dropped. */
  readonly talk?: DirectTalk;
  /** Takes what is said of devices and spheres that are not known here; without it that is dropped. */
  readonly introductions?: Introductions;
  /** Takes what is said of history packs; without it that is dropped. */
  readonly packs?: { offered(sphere: Sphere, offer: PackOffer): void };
  /** One is new, was replaced or was taken back. */
  readonly onInvitation: (id: string) => void;
  readonly nowMs: () => number;
  readonly log: Logger;
}

type Line = Pick<MessageRow, 'state' | 'text' | 'encrypted'>;

/** How the steps of reading one message went; `done` never comes back. */
type Outcome =
  | {
      readonly kind: 'changes';
      readonly sphere: Sphere;
      readonly changes: readonly SphereChange[];
      readonly invitations?: readonly string[];
    }
  | { readonly kind: 'invitations'; readonly ids: readonly string[] }
  /** What is to be done once the database has the message. */
  | { readonly kind: 'then'; readonly tell: () => void }
  | { readonly kind: 'nothing' };

/** What is said to one member alone by somebody the room does not carry: that one tells the others. */
const ALONE = new Set(['leave', 'decline', 'object']);

/**
 * Reads messages: known ones are dropped, the rest decrypted, opened and taken in, all in the one transaction
 * that also moves the ratchet. What cannot be read or is forged is shown as such. What a room's archive has may come to the
 * disk a little later, with what comes right after it; all hear of it only when the database has it, and others only when the
 * disk has it, too.
 */
export class Incoming {
  readonly #deps: IncomingDeps;
  readonly #gathered: GatheredChanges;
  readonly #known: KnownMessages;

  constructor(deps: IncomingDeps) {
    this.#deps = deps;
    this.#known = new KnownMessages({ ...deps, deviceId: () => deps.omemo.deviceId });
    this.#gathered = new GatheredChanges(deps);
  }

  async receive(message: IncomingMessage, signal: AbortSignal): Promise<void> {
    if (this.#known.has(message)) return this.#noteRepeated(message);
    // Once its sphere is here the room's archive gives it again: nothing of it is used up before.
    if (message.room !== null && this.#sphereOf(message) === undefined && !this.#isOwnEcho(message)) return;
    const isShutOut = message.room === null && this.#deps.talk?.admits(message) === false;
    if (isShutOut) return this.#passOver(message);
    const outcome = await this.#read(message, signal);
    if (outcome.kind === 'then') outcome.tell();
    if (outcome.kind === 'changes') this.#deps.onChanges(outcome.sphere, outcome.changes);
    if (outcome.kind === 'nothing' || outcome.kind === 'then') return;
    const ids = outcome.kind === 'invitations' ? outcome.ids : (outcome.invitations ?? []);
    for (const id of ids) this.#deps.onInvitation(id);
  }

  async #read(message: IncomingMessage, signal: AbortSignal): Promise<Outcome> {
    const { omemo } = this.#deps;
    if (message.omemo === null) return this.#showPlain(message);
    if (this.#isOwnEcho(message)) {
      const { room: to, id, omemo: own } = message;
      if (to !== null && id !== null) await this.#deps.onOwn({ to, id, omemo: own });
      return this.#finish(message, { kind: 'nothing' });
    }
    try {
      const read = await omemo.decrypt(
        { from: message.from, message: message.omemo },
        (result, changes) => this.#keep(message, result, changes),
        signal,
      );
      if (read.kind !== 'not-for-us') return read;
      return this.#isLineForUs(message)
        ? this.#showUnread(message, 'undecryptable')
        : this.#finish(message, { kind: 'nothing' });
    } catch (error) {
      if (signal.aborted || isOwnFault(error)) throw error;
      const level = error instanceof AppError ? 'warn' : 'error';
      this.#deps.log[level]('message not readable', { error, room: message.room !== null });
      return this.#showUnread(message, errorCode(error) === 'forged' ? 'forged' : 'undecryptable');
    }
  }

  #isOwnEcho({ from, omemo: message }: IncomingMessage): boolean {
    const { omemo } = this.#deps;
    return from === omemo.address.jid && message?.senderDeviceId === omemo.deviceId;
  }

  #keep(message: IncomingMessage, result: Decrypted, changes: OmemoChanges): Outcome {
    const { storage } = this.#deps;
    try {
      const keep = (): Outcome => {
        storage.omemo.apply(changes);
        this.#known.add(message);
        return this.#open(message, result);
      };
      if (!isKeptElsewhere(message)) return storage.transaction(keep);
      const outcome = this.#gathered.gather(keep);
      if (outcome.kind !== 'changes') return outcome;
      this.#gathered.add(outcome.sphere, outcome.changes);
      return { kind: 'nothing' };
    } catch (error) {
      // What was taken in before it failed is gone from the database.
      (this.#sphereOf(message) ?? this.#addressedSphere(message))?.reload();
      throw error;
    }
  }

  /** Within the transaction. */
  #open(message: IncomingMessage, result: Decrypted): Outcome {
    if (message.sealed === null) return this.#showGuestLine(message, result);
    // What another device of ours told somebody alone is theirs to act on.
    const own = this.#deps.omemo.address.jid;
    if (message.from === own && message.room === null && message.peer !== own) return { kind: 'nothing' };
    if (message.room === null) return this.#openDirect(message, result);
    const sphere = this.#sphereOf(message);
    if (sphere === undefined) return { kind: 'nothing' };
    const deliveries = this.#refusing(() => this.#deps.mailbox.read(sphere, message, result));
    if (deliveries === undefined) return this.#showForged(message);
    const [first] = eventsOf(deliveries);
    const isNew = first !== undefined && !sphere.log.has(first.id);
    const changes = this.#deps.mailbox.take(sphere, deliveries, result.text !== null);
    if (message.room !== sphere.row.room) return { kind: 'changes', sphere, changes };
    this.#deps.onHeard?.(sphere, eventsOf(deliveries));
    if (isNew && isLive(message)) this.#deps.onLive?.(sphere, first, message.from);
    return { kind: 'changes', sphere, changes };
  }

  /** An invitation, or what a member tells whoever cannot be reached in the room. */
  #openDirect(message: IncomingMessage, result: Decrypted): Outcome {
    const { mailbox } = this.#deps;
    const introduced = this.#refusing(() => this.#openIntroduction(message, result));
    if (introduced !== null) return introduced ?? { kind: 'nothing' };
    const sphere = this.#addressedSphere(message);
    const isOurs = mailbox.isFromOurs(message, result);
    // That our person is in it again, only their other devices tell.
    if (sphere === undefined || !(isOpen(sphere) || isOurs)) return this.#openInvitation(message, result);
    const offer = this.#refusing(() => mailbox.ticketIn(sphere, message, result));
    if (offer !== undefined) {
      this.#refusing(() => this.#deps.packs?.offered(sphere, offer));
      return { kind: 'nothing' };
    }
    const read = this.#refusing(() => mailbox.read(sphere, message, result));
    const isMove = read !== undefined && mailbox.isMove(sphere, message, result, read);
    const isMember = isOurs || isMove || mailbox.isFromMember(sphere, message, result);
    const deliveries = read?.filter((one) => isMember || mailbox.isAnswer(sphere, message.from, one)) ?? [];
    if (deliveries.length === 0) return { kind: 'nothing' };
    const fresh = deliveries.filter(({ event }) => !sphere.log.has(event.id));
    const unheard = fresh.filter(({ event }) => isForAll(event, deliveries));
    const changes = isMember
      ? mailbox.take(sphere, deliveries, false)
      : mailbox.takeAnswers(sphere, message.from, deliveries);
    if (isMember) this.#deps.onGiven?.(sphere, eventsOf(fresh), message.from);
    const inForce = unheard.filter(({ event }) => sphere.log.verdict(event.id)?.kind === 'accepted');
    // Said to us alone: the others learn it from us, for what we write from now on refers to it.
    if (!isOurs) for (const { event } of inForce) sphere.enqueue(event, [], { audience: { kind: 'members' } });
    const isInvitation = deliveries[0]?.event.type === 'invite';
    const invitations = isInvitation ? this.#takeInvitation(message, result, sphere) : [];
    return { kind: 'changes', sphere, changes, invitations };
  }

  /** A device that makes itself known, or a sphere that is not here and to which we are not invited. null = neither. */
  #openIntroduction(message: IncomingMessage, result: Decrypted): Outcome | null {
    const { introductions, mailbox } = this.#deps;
    const { sealed, from } = message;
    if (sealed === null || this.#addressedSphere(message) !== undefined) return null;
    const delivered = mailbox.peek(sealed, result);
    const first = delivered[0]?.event;
    if (first?.type === 'invite' || first?.type === 'remove') return null;
    if (first?.type === 'room' && mailbox.invitations.isOpen(sealed.sphere)) return null;
    const sender = { jid: from, omemoIdentityKey: toHex(result.identityKey) };
    const hello = readHello({ delivered, sender, isDeviceProven });
    const offer = { sphereId: sealed.sphere, sender, delivered };
    if (introductions === undefined) return { kind: 'nothing' };
    return { kind: 'then', tell: () => (hello ? introductions.heard(hello) : introductions.offered(offer)) };
  }

  #openInvitation(message: IncomingMessage, result: Decrypted): Outcome {
    return { kind: 'invitations', ids: this.#takeInvitation(message, result) };
  }

  #takeInvitation(message: IncomingMessage, result: Decrypted, sphere?: Sphere): readonly string[] {
    return this.#refusing(() => this.#deps.mailbox.invitations.take(message, result, sphere)) ?? [];
  }

  /** undefined when the content is refused. */
  #refusing<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof AppError) || isOwnFault(error)) throw error;
      this.#deps.log.warn('sealed content refused', { error });
      return undefined;
    }
  }

  #sphereOf(message: IncomingMessage): Sphere | undefined {
    return message.room === null ? undefined : this.#deps.sphereOfRoom(message.room);
  }

  #addressedSphere({ sealed }: IncomingMessage): Sphere | undefined {
    return sealed === null ? undefined : this.#deps.sphereOfId(sealed.sphere);
  }

  #showPlain(message: IncomingMessage): Outcome {
    if (message.body === null) return this.#finish(message, { kind: 'nothing' });
    return this.#deps.storage.transaction(() => {
      this.#known.add(message);
      return this.#line(message, { state: 'guest', text: message.body ?? '', encrypted: false });
    });
  }

  #showGuestLine(message: IncomingMessage, result: Decrypted): Outcome {
    if (result.text === null) return { kind: 'nothing' };
    return this.#line(message, { state: 'guest', text: result.text, encrypted: true }, result);
  }

  #showForged(message: IncomingMessage): Outcome {
    return this.#line(message, { state: 'forged', text: '', encrypted: true });
  }

  #showUnread(message: IncomingMessage, state: 'undecryptable' | 'forged'): Outcome {
    const { sealed } = message;
    // Sent again by a server or a member: what it says is here.
    const isHere = sealed !== null && this.#sphereOf(message)?.log.has(sealed.event) === true;
    if (isHere && state === 'undecryptable') return this.#finish(message, { kind: 'nothing' });
    const sphere = this.#sphereOf(message);
    if (sphere !== undefined) this.#deps.onUnread(sphere, sealed !== null);
    return this.#deps.storage.transaction(() => {
      this.#known.add(message);
      return this.#line(message, { state, text: '', encrypted: true });
    });
  }

  /** A line that stands for no event gets an id made from its place in the archive. */
  #line(message: IncomingMessage, line: Line, read?: Decrypted): Outcome {
    if (message.room === null) return this.#talk(message, line, read);
    const sphere = this.#sphereOf(message);
    if (sphere === undefined || isByGone(sphere, message)) return { kind: 'nothing' };
    // Under the event's own id, so that the event takes its place should a member pass it on.
    const id = (line.state === 'undecryptable' ? message.sealed?.event : undefined) ?? lineId(message);
    const { createdAtMs, joinedLamport } = sphere.row;
    const { began = null } = sphere.state.members.get(this.#deps.omemo.address.jid) ?? {};
    const came = began === null ? undefined : sphere.log.get(began);
    // What was said before we came, by whichever computer, stands before our coming, and is no news.
    const isEarlier = message.atMs < (came?.header.wallMs ?? createdAtMs);
    const { messages } = this.#deps.storage;
    const order = messages.add(
      {
        id,
        sphereId: sphere.id,
        from: message.from,
        kind: 'text',
        itemId: null,
        atMs: message.atMs,
        lamport: isEarlier ? Math.max(0, joinedLamport - 1) : 0,
        failure: null,
        replyTo: null,
        read: false,
        ...line,
      },
      isEarlier,
    );
    // The word of our other computer came before the line.
    if (sphere.log.annotations.isLineTold(sphere.person, id)) messages.markLinesReadUpTo(sphere.id, id);
    return { kind: 'changes', sphere, changes: order === undefined ? [] : [{ kind: 'message', id }] };
  }

  #talk(message: IncomingMessage, line: Line, read?: Decrypted): Outcome {
    const { talk } = this.#deps;
    // What cannot be read and is of a sphere comes to us in another way.
    if (talk === undefined || message.sealed !== null) return { kind: 'nothing' };
    const known: readonly DirectLine['state'][] = ['undecryptable', 'forged'];
    const state = known.find((one) => one === line.state) ?? 'received';
    // A message that only carries a key says nothing, read or not.
    if (state !== 'received' && message.omemo?.payload === null) return { kind: 'nothing' };
    return { kind: 'then', tell: talk.keep(message, { ...line, state, ...keysOf(read) }) };
  }

  /** Keys and history for others are not ours, nor is what was said before we came: a welcome brings that. */
  #isLineForUs(message: IncomingMessage): boolean {
    if (message.room === null) return message.omemo?.payload !== null;
    const sphere = this.#sphereOf(message);
    return sphere !== undefined && message.omemo?.payload !== null && message.atMs >= sphere.row.createdAtMs;
  }

  #finish(message: IncomingMessage, outcome: Outcome): Outcome {
    this.#passOver(message);
    return outcome;
  }

  /** Read again after a power cut, it says as little. */
  #passOver(message: IncomingMessage): void {
    this.#deps.storage.transaction(() => this.#known.add(message), 'later');
  }

  /** Only of what members' programs say: they encrypt anew what they say again, but for what a resumed connection repeats. */
  #noteRepeated(message: IncomingMessage): void {
    const sphere = this.#sphereOf(message);
    if (sphere === undefined || message.sealed === null || !isLive(message)) return;
    const firstMs = this.#known.firstMsOfCopy(message);
    if (firstMs === undefined) return;
    // Under this id it is known from now on, too.
    this.#passOver(message);
    this.#deps.onRepeated?.(sphere, firstMs);
  }
}

function eventsOf(deliveries: readonly { readonly event: SignedEvent }[]): readonly SignedEvent[] {
  return deliveries.map(({ event }) => event);
}

function keysOf(read: Decrypted | undefined): Pick<DirectLine, 'identityKey' | 'messageKey'> {
  return { identityKey: read?.identityKey ?? null, messageKey: read?.messageKey };
}

/** A room's archive gives it again: the place read to is on the disk after what was read. */
function isKeptElsewhere({ room, archiveId }: IncomingMessage): boolean {
  return room !== null && archiveId !== null;
}

/** Said to all who are in the room, and kept by its archive. */
function isLive({ isLive: isNow, archiveId }: IncomingMessage): boolean {
  return isNow === true && archiveId !== null;
}

/** Of a move also what proves it; one that stands among others was told to all when it was said. */
function isForAll({ type, header }: SignedEvent, [first]: readonly { readonly event: SignedEvent }[]): boolean {
  if (ALONE.has(type)) return true;
  if (first?.event.type !== 'moved') return false;
  return ['device', 'moved'].includes(type) && header.device === first.event.header.device;
}

function isOpen({ row }: Sphere): boolean {
  return row.state === 'joined' || row.state === 'joining';
}

/** Nobody may be left to shut them out of a room that the sphere has left; what they said there before counts. */
function isByGone({ row, log, state: { members, moved } }: Sphere, { room, from, atMs }: IncomingMessage): boolean {
  const { state } = members.get(moved.get(from) ?? from) ?? {};
  const isSince = atMs >= (log.moved?.header.wallMs ?? 0);
  return room !== row.room && isSince && state !== 'joined' && state !== 'invited';
}
