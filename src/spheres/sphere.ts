import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid, DeviceKey, EventId, PersonId, SphereId } from '../base/id.ts';
import type { EpochRow } from '../storage/epoch-table.ts';
import type { OutboxRow } from '../storage/outbox-table.ts';
import type { SphereRow } from '../storage/sphere-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { Audience } from './audience.ts';
import { addressee, parseAudience } from './audience.ts';
import { continuedSphere } from './continued-sphere.ts';
import { forgetUnclaimed } from './forget-unclaimed.ts';
import { MediaKeyCopies } from './media-key-copies.ts';
import type { Attachment } from './protocol/envelope.ts';
import { encodeEnvelope, entryOf } from './protocol/envelope.ts';
import type { EpochSecrets } from './protocol/epoch.ts';
import { deriveEpochSecrets } from './protocol/epoch.ts';
import type { KnownType, SphereRole } from './protocol/event-body.ts';
import { isDeviceProven } from './device-proof.ts';
import type { Author, ItemEvent, KnownEvent, SignedEvent } from './protocol/event.ts';
import { buildEvent } from './protocol/event.ts';
import { SphereLog } from './protocol/sphere-log.ts';
import type { SphereMember, SphereState } from './protocol/sphere-state.ts';
import { readLog } from './read-log.ts';
import { isUnjudged, UnjudgedAttachments } from './unjudged-attachments.ts';

type EventInput<T extends KnownType> = Parameters<typeof buildEvent<T>>[3];

/** How an event of ours goes out. */
export interface Dispatch {
  readonly audience: Audience;
  readonly attachments?: readonly Attachment[];
  /** Attachments kept here but not sent, because they travel otherwise: the text of a message is its line. */
  readonly kept?: readonly Attachment[];
  /** The line ordinary clients show; null for technical events. */
  readonly line?: string | null;
}

/** An event with what is kept beside it. */
export interface KeptDelivery {
  readonly event: SignedEvent;
  readonly kept: readonly Attachment[];
}

/** An epoch whose key we hold. */
export interface HeldEpoch {
  readonly eventId: EventId;
  readonly number: number;
  readonly secrets: EpochSecrets;
}

/** How many events may wait for others in a sphere, and of one device. */
const MAX_WAITING = 1024;
const MAX_WAITING_OF_DEVICE = 256;

/** So long a room that is away is tried for the sake of telling it that we left, */
const LAST_WORD_WAITS_MS = 7 * 86_400_000;
/** in this run too: we may have been off all the while. */
const TRIED_MS = 100_000;

/** One sphere in memory: its log over what is stored of it. Every change is in the database before it is in here. */
export class Sphere {
  readonly id: SphereId;
  /** The log was read again from the database. */
  readonly onReload = new Emitter<void>();
  readonly #storage: Storage;
  readonly #author: Author;
  readonly #clock: Clock;
  readonly #find: (id: SphereId) => Sphere | undefined;
  readonly #openedMs: number;
  #log: SphereLog;
  #epochs: readonly HeldEpoch[] = [];

  /** `find`: the other spheres that are here. */
  constructor(deps: {
    id: SphereId;
    storage: Storage;
    author: Author;
    clock: Clock;
    find: (id: SphereId) => Sphere | undefined;
  }) {
    this.id = deps.id;
    this.#storage = deps.storage;
    this.#author = deps.author;
    this.#clock = deps.clock;
    this.#find = deps.find;
    this.#openedMs = deps.clock.monotonic();
    this.#log = this.#readLog();
    this.readEpochs();
  }

  /** After a transaction that failed: memory must not be ahead of the database. */
  reload(): void {
    this.#log = this.#readLog();
    this.readEpochs();
    this.onReload.emit();
  }

  get row(): SphereRow {
    const row = this.#storage.spheres.get(this.id);
    if (row === undefined) throw new AppError('not-found', 'the sphere is gone', { sphereId: this.id });
    return row;
  }

  /** The place read to in the room's archive, by the archive's id. */
  noteCursor(archiveId: string): void {
    this.#storage.spheres.noteCursor(this.id, archiveId);
  }

  get log(): SphereLog {
    return this.#log;
  }

  get state(): SphereState {
    return this.#log.state();
  }

  /** The sphere that this one goes on from, when that is here. */
  get former(): Sphere | undefined {
    return continuedSphere({ find: this.#find }, this.#log);
  }

  get device(): DeviceKey {
    return this.#author.device.id;
  }

  get person(): PersonId {
    return this.#author.person;
  }

  /** What we may do here; undefined while we are no member. */
  get role(): SphereRole | undefined {
    return this.#joined?.role;
  }

  /** Our person's record: wherever they are in; while they move that is not the account that this device is at, `own`. */
  placeOf(own: BareJid): SphereMember | undefined {
    const { members } = this.state;
    return this.#joined ?? members.get(own) ?? members.get(this.jidOf(this.person) ?? own);
  }

  /** The account that our person is a member with. */
  ownJid(own: BareJid): BareJid {
    return this.placeOf(own)?.jid ?? own;
  }

  /** What our person said last when leaving, by whichever computer. */
  get lastWord(): SignedEvent | undefined {
    const isOurs = ({ id, header: { device, person } }: SignedEvent): boolean =>
      device === this.device || (person === this.person && this.log.verdict(id)?.kind === 'accepted');
    return this.log.events().findLast((event) => event.type === 'leave' && isOurs(event));
  }

  /** Whether we are to be in its room: it is ours, or we have still to say there that we left. */
  get wantsRoom(): boolean {
    const { state } = this.row;
    const left = state === 'left' ? this.lastWord : undefined;
    if (left === undefined) return state === 'joined';
    const isTried = this.#clock.monotonic() - this.#openedMs >= TRIED_MS;
    return this.owesRoom(left, isTried ? this.#clock.now() - LAST_WORD_WAITS_MS : 0);
  }

  /** Whether an event that was queued after this moment still waits for the room. */
  owesRoom({ id }: SignedEvent, sinceMs = 0): boolean {
    const { room } = this.row;
    const isWaiting = ({ to, atMs, state }: OutboxRow): boolean => to === room && atMs > sinceMs && state === 'queued';
    const waiting = this.#storage.outbox.byEvent(id).filter(isWaiting);
    // Nothing waits for copies for single devices that missed the message.
    return waiting.some(({ audience }) => parseAudience(audience).kind !== 'device');
  }

  /** Epochs whose keys we hold: the current one, then the others from the newest on. */
  get epochs(): readonly HeldEpoch[] {
    return this.#epochs;
  }

  /** The epoch to seal under. Never an older one: somebody who has gone may hold its key. */
  get currentEpoch(): HeldEpoch {
    const { currentEpoch } = this.state;
    const held = currentEpoch === null ? undefined : this.epoch(currentEpoch.id);
    if (held === undefined) throw new AppError('cannot-encrypt', 'the sphere has not told us its key yet');
    return held;
  }

  /** The account a person is a member with. */
  jidOf(person: PersonId): BareJid | undefined {
    return this.state.accounts.get(person);
  }

  /** Our next event: kept and queued for sending in the caller's transaction, or in one of its own. */
  append<T extends KnownType>(type: T, body: EventInput<T>, dispatch: Dispatch): KnownEvent<T> {
    const event = this.#build(type, body);
    const signed = event as SignedEvent;
    const attachments = dispatch.attachments ?? [];
    this.#storage.transaction(() => {
      this.#keep(signed, [...attachments, ...(dispatch.kept ?? [])]);
      this.enqueue(signed, attachments, dispatch);
    });
    this.#log.add(signed);
    return event;
  }

  /** Puts an event, ours or another's, into the outbox once more. */
  enqueue(event: SignedEvent, attachments: readonly Attachment[], dispatch: Omit<Dispatch, 'attachments'>): void {
    const to = addressee(dispatch.audience) ?? this.row.room;
    this.enqueueEnvelope(event.id, encodeEnvelope([entryOf(event, attachments)]), to, dispatch);
  }

  enqueueEnvelope(
    eventId: EventId,
    envelope: Uint8Array,
    to: BareJid,
    dispatch: Pick<Dispatch, 'audience' | 'line'>,
  ): void {
    const row: Omit<OutboxRow, 'id'> = {
      sphereId: this.id,
      to,
      eventId,
      envelope,
      audience: dispatch.audience,
      line: dispatch.line ?? null,
      state: 'queued',
      attempts: 0,
      atMs: this.#clock.now(),
    };
    this.#storage.outbox.add(row);
  }

  /** Takes in events of anybody, in the caller's transaction, and judges them once; gives those that are new and kept. */
  takeAll(deliveries: readonly KeptDelivery[]): ReadonlySet<EventId> {
    return this.addStored(this.store(deliveries));
  }

  /** Writes events down in the caller's transaction, and nothing else: `addStored` takes them in. Gives those that are new. */
  store(deliveries: readonly KeptDelivery[]): readonly SignedEvent[] {
    return deliveries.flatMap(({ event, kept }) => {
      if (this.#keep(event, kept)) return [event];
      this.#forgetUnclaimed(event);
      return [];
    });
  }

  /** Takes in what was written down, in the caller's transaction; those that are kept. */
  addStored(events: readonly SignedEvent[]): ReadonlySet<EventId> {
    const isAnyHeld = this.#log.addAll(events).includes('held');
    const dropped = isAnyHeld ? this.#withoutRoomToWait(events) : [];
    this.drop(dropped);
    const isDropped = new Set(dropped);
    const taken = events.filter(({ id }) => !isDropped.has(id));
    for (const event of taken) this.#forgetUnclaimed(event);
    return new Set(taken.map(({ id }) => id));
  }

  /** As if the events had never come, in the caller's transaction. */
  drop(ids: readonly EventId[]): void {
    this.#log.forget(ids);
    for (const id of ids) this.#storage.events.remove(id);
  }

  /** After epoch keys were stored. */
  readEpochs(): void {
    const { epochs, currentEpoch } = this.state;
    const inForce = new Set(epochs.map((epoch) => epoch.id));
    const isCurrent = (row: EpochRow): boolean => row.eventId === currentEpoch?.id;
    this.#epochs = this.#storage.epochs
      .list(this.id)
      .filter((row) => inForce.has(row.eventId))
      // Two epochs may have one number; which of them is current only the log can say.
      .toSorted((a, b) => Number(isCurrent(b)) - Number(isCurrent(a)))
      .map((row) => ({ eventId: row.eventId, number: row.number, secrets: deriveEpochSecrets(row.key) }));
  }

  epoch(eventId: EventId): HeldEpoch | undefined {
    return this.#epochs.find((epoch) => epoch.eventId === eventId);
  }

  /**
   * What opens the keys wrapped under an epoch, also under one that was refused after others had shared under it: they
   * are members, and nobody else could know yet. Nothing new is wrapped under that.
   */
  opening(eventId: EventId): EpochSecrets | undefined {
    const { epochs, attachments } = this.#storage;
    const held = this.epoch(eventId);
    if (held !== undefined) return held.secrets;
    // Whoever heard of it when it was refused already has its key beside the event only.
    const key = epochs.get(this.id, eventId)?.key ?? attachments.get(eventId, 'epoch-key');
    return key === undefined ? undefined : deriveEpochSecrets(key);
  }

  /** What is here of the wrapped key of an item. */
  mediaKeyCopies(event: ItemEvent): MediaKeyCopies {
    const { epoch } = event.body;
    const secrets = epoch === null ? undefined : this.opening(epoch);
    return new MediaKeyCopies({ storage: this.#storage, event, epoch: secrets });
  }

  putEpochKey(eventId: EventId, number: number, key: Uint8Array): void {
    const row: EpochRow = { sphereId: this.id, epochId: eventId, key, eventId, number };
    this.#storage.epochs.put(row);
  }

  /** Events that wait have no effect, and whoever makes them up must not fill the disk: the last of these are too many. */
  #withoutRoomToWait(events: readonly SignedEvent[]): EventId[] {
    const { held } = this.state;
    const ofDevices = Map.groupBy(held.keys(), (id) => this.#log.get(id)?.header.device);
    const counts = new Map([...ofDevices].map(([device, ids]) => [device, ids.length]));
    let all = held.size;
    return events.toReversed().flatMap(({ id, header: { device } }) => {
      const ofDevice = counts.get(device) ?? 0;
      if (!held.has(id) || (all <= MAX_WAITING && ofDevice <= MAX_WAITING_OF_DEVICE)) return [];
      all -= 1;
      counts.set(device, ofDevice - 1);
      return [id];
    });
  }

  /** Our person's record while they are a member. */
  get #joined(): SphereMember | undefined {
    const isIn = ({ person, state }: SphereMember): boolean => person === this.person && state === 'joined';
    return [...this.state.members.values()].find(isIn);
  }

  #forgetUnclaimed(event: SignedEvent): void {
    forgetUnclaimed({ log: this.#log, storage: this.#storage }, event);
  }

  #readLog(): SphereLog {
    const log = new SphereLog({ sphereId: this.id, isDeviceProven });
    // The rows are sealed under our own key: whatever is in them was checked when it came.
    log.addAll(readLog({ sphereId: this.id, storage: this.#storage }));
    return log;
  }

  #keep(event: SignedEvent, attachments: readonly Attachment[]): boolean {
    const { header } = event;
    const isNew = this.#storage.events.add({
      id: event.id,
      sphereId: this.id,
      bytes: event.bytes,
      signature: event.signature,
      device: header.device,
      sequence: header.sequence,
      lamport: header.lamport,
      type: header.type,
      receivedAtMs: this.#clock.now(),
    });
    const unjudged: Attachment[] = [];
    for (const one of attachments) {
      const { kind, bytes } = one;
      if (kind === null || isUnjudged(event, kind)) unjudged.push(one);
      else if (kind === 'media-key' && event.type === 'item') this.mediaKeyCopies(event).keep(bytes);
      else this.#storage.attachments.put({ eventId: event.id, kind, bytes });
    }
    new UnjudgedAttachments({ storage: this.#storage, event }).keep(unjudged);
    return isNew;
  }

  #build<T extends KnownType>(type: T, body: EventInput<T>): KnownEvent<T> {
    return buildEvent(this.#author, this.#log.nextHeader(this.device, this.#clock.now(), type), type, body);
  }
}
