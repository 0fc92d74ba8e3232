import { toUtf8 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid, DeviceKey } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { RateLimit } from '../base/rate-limit.ts';
import { RecurringWork } from '../base/recurring-work.ts';
import type { OwnDeviceRow } from '../storage/own-device-table.ts';
import type { Storage } from '../storage/storage.ts';
import { parseAudience } from './audience.ts';
import type { DeviceCertifier } from './device-certifier.ts';
import type { ComparedLogs } from './device-ends.ts';
import { DeviceEnds } from './device-ends.ts';
import type { DeviceDirectory } from './device-directory.ts';
import type { NewDevice } from './hand-over.ts';
import { handOver, isJoinedAs } from './hand-over.ts';
import { attachment, encodeEnvelope, entryOf } from './protocol/envelope.ts';
import type { Author, SignedEvent } from './protocol/event.ts';
import type { Hello } from './protocol/hello.ts';
import { buildHello } from './protocol/hello.ts';
import type { SphereDevice } from './protocol/sphere-state.ts';
import type { Rooms } from './rooms.ts';
import type { OfferedSphere, SphereAdoption } from './sphere-adoption.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import { UnlistEnded } from './unlist-ended.ts';
import type { Comeback } from './comeback.ts';

interface OwnDevicesDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly rooms: Pick<Rooms, 'isCaughtUp' | 'listed' | 'present' | 'occupants'>;
  readonly directory: Pick<DeviceDirectory, 'deviceIds' | 'unlistOwn'>;
  readonly logs: () => ComparedLogs;
  readonly adoption: Pick<SphereAdoption, 'offered'>;
  readonly certifier: DeviceCertifier;
  readonly comeback: Comeback;
  readonly author: Author;
  readonly own: BareJid;
  readonly omemo: { readonly deviceId: number };
  readonly isOnline: () => boolean;
  /** What this device is called until the person says otherwise. */
  readonly defaultName: string;
  /** Something new stands in the outbox. */
  readonly queued: () => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

const NAME = 'device-name';
const HANDED_OVER = 'handed-over';
/** Of each device: whoever introduces itself without end gets no log without end. */
const HEARD = { burst: 6, intervalMs: 600_000 };
/** Each sphere to each device of ours that is there and not in it. */
const GIVEN_AGAIN = { burst: 1, intervalMs: 3_600_000 };
/** A device that is there is noted to have been so often. */
const SEEN_EVERY_MS = 60_000;
const SOON_MS = 60_000;
const IDLE_MS = 6 * 3_600_000;

/** The person's other devices: makes this one known to them, and brings them into every sphere. */
export class OwnDevices {
  /** The list is different. */
  readonly onChange: Emitter<void>;
  readonly #deps: OwnDevicesDeps;
  readonly #hearing: RateLimit;
  readonly #givingAgain: RateLimit;
  readonly #asking: RecurringWork;
  readonly #ends: DeviceEnds;
  readonly #unlisting: UnlistEnded;
  /** Before the first session there is nothing to introduce. */
  #isBegun = false;

  constructor(deps: OwnDevicesDeps) {
    this.#deps = deps;
    this.#hearing = new RateLimit({ ...deps, ...HEARD });
    this.#givingAgain = new RateLimit({ ...deps, ...GIVEN_AGAIN });
    this.#asking = new RecurringWork({ ...deps, pass: () => this.#pass(), retryMs: SEEN_EVERY_MS });
    this.#ends = new DeviceEnds(deps);
    this.#unlisting = new UnlistEnded(deps);
    this.onChange = new Emitter((error) => deps.log.error('device listener failed', { error }));
  }

  /** This device first, then the others, the oldest first. */
  list(): readonly OwnDeviceRow[] {
    const rows = this.#deps.storage.ownDevices.list();
    return [...rows.filter(({ state }) => state === 'here'), ...rows.filter(({ state }) => state !== 'here')];
  }

  /** Whether another device of ours has ended this one. */
  get isEnded(): boolean {
    const { list, author } = this.#deps;
    return list.all().some(({ state }) => state.endedDevices.has(author.device.id));
  }

  /** In each new session: whoever was away longer learns of us, and tells what we do not know. */
  async begin(): Promise<void> {
    const { directory, own, omemo, comeback } = this.#deps;
    this.#noteHere();
    this.#ends.begin();
    this.#isBegun = true;
    if (this.isEnded) return;
    this.#unlistSoon();
    const listed = await directory.deviceIds(own);
    if (listed.some((deviceId) => deviceId !== omemo.deviceId)) {
      this.#introduce(own);
      comeback.add(own);
    }
    this.#asking.wake();
    for (const sphere of this.#deps.list.all()) this.sphereChanged(sphere);
    this.endGone(...this.#deps.list.all());
  }

  /** Makes this device known in spheres that are here from before it was a device of its own: first of all it says. */
  certifyHere(): void {
    const { list, author, own, certifier } = this.#deps;
    const { id } = author.device;
    for (const sphere of list.all()) {
      const { devices, endedDevices } = sphere.state;
      const isKnown = devices.has(id) || endedDevices.has(id);
      if (sphere.row.state === 'joined' && !isKnown && isJoinedAs(sphere, author.person, own)) {
        certifier.certify(sphere, []);
      }
    }
  }

  /** A device introduced itself: to one of ours, or of somebody we share spheres with, which lost what it had. */
  heard(hello: Hello): void {
    const { author, own } = this.#deps;
    if (hello.device === author.device.id || !this.#hearing.take(hello.device)) return;
    const isOurs = hello.person === author.person;
    if (isOurs) this.met(own);
    if (isOurs && (hello.jid !== own || !this.#note(hello))) return;
    this.#bringIn(hello, (sphere) => isJoinedAs(sphere, hello.person, hello.jid));
  }

  /** Somebody is online now: of those who came back with a kit they are asked once more. */
  met(jid: BareJid): void {
    this.#deps.comeback.cameOnline(jid);
    this.#asking.wake();
  }

  /** Asks again whoever may know of our spheres, until the signal aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.#asking.run(signal);
  }

  /** Somebody passes on a sphere that is not here; from others than ourselves only while we ask for it. */
  offered(offer: OfferedSphere): void {
    const { own, adoption, comeback } = this.#deps;
    const isExpected = offer.sender === null || offer.sender.jid === own || comeback.isUnderWay;
    if (isExpected) adoption.offered(offer);
  }

  /** We came into it, or others did: our own devices are to be in it too. */
  sphereChanged(sphere: Sphere): void {
    if (sphere.row.state !== 'joined') return;
    const { storage, clock, own, author, comeback } = this.#deps;
    const { devices, endedDevices } = sphere.state;
    let isOther = false;
    for (const device of endedDevices.keys()) if (this.#noteEnd(device)) isOther = true;
    for (const device of devices.values()) {
      if (device.person === author.person && device.device !== author.device.id) this.#noteFromLog(device);
    }
    for (const row of storage.ownDevices.list()) {
      const isMissing = this.#isServed(row) && !devices.has(row.device);
      // Without a key it could not even say that it lacks one: it is brought in once we have one ourselves.
      if (!isMissing || sphere.epochs.length === 0 || !isJoinedAs(sphere, author.person, own)) continue;
      if (!storage.seen.add(HANDED_OVER, `${sphere.id} ${row.device}`, clock.now())) continue;
      this.#give(sphere, { ...row, person: author.person });
    }
    comeback.addMembers(sphere);
    this.#asking.wake();
    if (isOther) this.vouchAgain();
  }

  /** A device has just said something, which may be that we know all there is. */
  seen(device: DeviceKey): void {
    const { storage, clock, list } = this.#deps;
    this.endGone(...list.all());
    const row = storage.ownDevices.get(device);
    const nowMs = clock.now();
    if (row === undefined || nowMs - row.seenAtMs < SEEN_EVERY_MS) return;
    storage.ownDevices.update(device, { seenAtMs: nowMs });
    // What it was given when it came, or when we came into a sphere, may have got lost.
    if (this.#isServed(row)) this.#bringInOwn(row);
    this.onChange.emit();
  }

  /** The person says that a new device is theirs. */
  confirm(device: DeviceKey): void {
    if (this.#row(device).state === 'new') {
      this.#deps.storage.ownDevices.update(device, { state: 'known' });
      // What it said until now of people counts from here on: it says it again to whoever makes itself known.
      this.#introduce(this.#deps.own);
    }
    this.onChange.emit();
  }

  /**
   * The person has it no more, or never had: nothing that follows is for it. What it has it keeps. `isAtOnce`: what it said and
   * is not here need not be waited for, and is lost for everybody.
   */
  end(device: DeviceKey, isAtOnce = false): void {
    const { list, author, storage } = this.#deps;
    this.#row(device);
    if (device === author.device.id) throw new AppError('conflict', 'this device is not ended by itself');
    storage.transaction(() => {
      this.#ends.note(device, isAtOnce);
      this.#noteEnd(device);
    });
    this.vouchAgain();
    this.#unlistSoon();
    this.endGone(...list.all());
  }

  /** Whether it is taken away still: not everything that it said is here. */
  isEnding(device: DeviceKey): boolean {
    return this.#ends.isWaiting(device);
  }

  /** Whether nothing more is for one of ours with this OMEMO device. */
  isGone(omemoDeviceId: number): boolean {
    const rows = this.#deps.storage.ownDevices.list().filter((one) => one.omemoDeviceId === omemoDeviceId);
    const isGone = (row: OwnDeviceRow): boolean => this.#ends.isWaiting(row.device) || this.#isEnded(row);
    // One that is lost may have certified another under the id of one that is not, or under its own.
    const isKept = rows.some((row) => (row.state === 'here' || row.state === 'known') && !isGone(row));
    return !isKept && rows.some((row) => isGone(row));
  }

  /** Whoever is gone for good is ended wherever everything that they said is here. */
  endGone(...spheres: readonly Sphere[]): void {
    const wasHoldingBack = this.#ends.isHoldingBack;
    const isOther = this.#ends.settle(spheres);
    if (this.#ends.isHoldingBack && !wasHoldingBack) this.#asking.wake();
    if (!isOther) return;
    // Until it knew of its end it may have put itself back.
    this.#unlistSoon();
    this.onChange.emit();
  }

  /** The person has said of another program at the account whether it is theirs, or has a computer no more. */
  vouchAgain(): void {
    this.#deps.certifier.vouchAgain();
  }

  /** Gives this device another name, and tells it to the others. */
  async rename(name: string): Promise<void> {
    this.#deps.storage.settings.set(NAME, name);
    await this.begin();
    this.onChange.emit();
  }

  async #pass(): Promise<number> {
    const { comeback, list } = this.#deps;
    // Whoever may ask again is woken.
    if (!this.#isBegun || this.isEnded) return IDLE_MS;
    if (this.#ends.isHoldingBack) this.endGone(...list.all());
    const unlistMs = await this.#unlisting.pass(() => this.#endedIds());
    for (const jid of comeback.due()) this.#introduce(jid);
    const heldBackMs = this.#ends.isHoldingBack ? SOON_MS : IDLE_MS;
    return Math.max(50, Math.min(comeback.nextMs, unlistMs, heldBackMs));
  }

  /** Whether it is to have what we have. */
  #isServed({ device, state }: OwnDeviceRow): boolean {
    return (state === 'new' || state === 'known') && !this.#ends.isWaiting(device);
  }

  #row(device: DeviceKey): OwnDeviceRow {
    const row = this.#deps.storage.ownDevices.get(device);
    if (row === undefined) throw new AppError('not-found', 'no such device');
    return row;
  }

  /** Whether it was not known. */
  #noteEnd(device: DeviceKey): boolean {
    const { ownDevices } = this.#deps.storage;
    const row = ownDevices.get(device);
    if (row === undefined || row.state === 'ended' || row.state === 'here') return false;
    ownDevices.update(device, { state: 'ended' });
    this.onChange.emit();
    return true;
  }

  /** What ended it may itself have been undone. */
  #isEnded({ device, state }: OwnDeviceRow): boolean {
    return state === 'ended' && this.#ends.has(device);
  }

  #unlistSoon(): void {
    this.#unlisting.due();
    this.#asking.wake();
  }

  #endedIds(): number[] {
    const ended = this.#deps.storage.ownDevices.list().filter((row) => this.#isEnded(row));
    return ended.map(({ omemoDeviceId }) => omemoDeviceId).filter((id) => this.isGone(id));
  }

  get #name(): string {
    return this.#deps.storage.settings.get(NAME, String) ?? this.#deps.defaultName;
  }

  #noteHere(): void {
    const { storage, certifier, author, own, clock } = this.#deps;
    const { omemoDeviceId, omemoIdentityKey } = certifier.certificate();
    if (omemoDeviceId === null || omemoIdentityKey === null) return;
    const { id: device } = author.device;
    const times = { addedAtMs: storage.ownDevices.get(device)?.addedAtMs ?? clock.now(), seenAtMs: clock.now() };
    const row = { device, name: this.#name, jid: own, omemoDeviceId, omemoIdentityKey, ...times };
    storage.ownDevices.put({ ...row, state: 'here' });
  }

  /** Whether it is one that is to have what we have. */
  #note({ device, jid, omemoDeviceId, omemoIdentityKey, name }: Hello): boolean {
    const { storage, clock, own, log, comeback } = this.#deps;
    const known = storage.ownDevices.get(device);
    if (known?.state === 'ended') return false;
    if (this.#ends.isWaiting(device)) {
      // One that lives and was taken for lost clears itself by it, though it gets nothing until then.
      if (known !== undefined && name !== null) storage.ownDevices.update(device, { name });
      return false;
    }
    const nowMs = clock.now();
    storage.ownDevices.put({
      ...{ device, jid, omemoDeviceId, omemoIdentityKey },
      name: name ?? known?.name ?? '',
      // Whoever is new here themselves need not be asked about those who were here before.
      state: known?.state ?? (comeback.isRecent ? 'known' : 'new'),
      addedAtMs: known?.addedAtMs ?? nowMs,
      seenAtMs: nowMs,
    });
    if (known === undefined) log.info('own device added', { device });
    // It has to know our name, too.
    if (known === undefined || known.name === '') this.#introduce(own);
    this.onChange.emit();
    return true;
  }

  /** One that has not introduced itself, or did while we were away. */
  #noteFromLog({ device, jid, omemoDeviceId, omemoIdentityKey }: SphereDevice): void {
    const { storage, clock, own, comeback } = this.#deps;
    if (storage.ownDevices.get(device) !== undefined || jid !== own) return;
    if (omemoDeviceId === null || omemoIdentityKey === null) return;
    const state = comeback.isRecent ? 'known' : 'new';
    const times = { addedAtMs: clock.now(), seenAtMs: clock.now() };
    storage.ownDevices.put({ device, name: '', jid, omemoDeviceId, omemoIdentityKey, state, ...times });
    this.onChange.emit();
  }

  #bringIn(device: NewDevice & { readonly device: DeviceKey }, isIn: (sphere: Sphere) => boolean): void {
    for (const sphere of this.#deps.list.all()) {
      const { devices, endedDevices } = sphere.state;
      const isKnown = devices.has(device.device) || endedDevices.has(device.device);
      if (sphere.row.state !== 'joined' || sphere.epochs.length === 0 || isKnown || !isIn(sphere)) continue;
      this.#give(sphere, device);
    }
  }

  #bringInOwn(row: OwnDeviceRow): void {
    const { author, own } = this.#deps;
    const device = { ...row, person: author.person };
    const isDue = (sphere: Sphere): boolean => this.#givingAgain.take(`${sphere.id} ${row.device}`);
    this.#bringIn(device, (sphere) => isJoinedAs(sphere, author.person, own) && isDue(sphere));
  }

  #give(sphere: Sphere, device: NewDevice & { readonly device: DeviceKey }): void {
    const { storage, queued, log } = this.#deps;
    this.#givingAgain.take(`${sphere.id} ${device.device}`);
    handOver(sphere, storage, device);
    log.info('sphere handed over', { sphereId: sphere.id });
    queued();
  }

  /** Other devices of ours learn our name too, nobody else does. */
  #introduce(jid: BareJid): void {
    const { storage, author, certifier, own, queued, clock } = this.#deps;
    const event = buildHello(author, certifier.certificate(), clock.now());
    const attachments = jid === own ? [attachment('device-name', toUtf8(this.#name))] : [];
    const audience = { kind: 'account', jid } as const;
    storage.transaction(() => {
      for (const { id } of storage.outbox.list('queued').filter((row) => isHello(row, jid))) storage.outbox.remove(id);
      storage.outbox.add({
        ...{ sphereId: null, to: jid, eventId: event.id, audience, line: null, state: 'queued', attempts: 0 },
        envelope: encodeEnvelope([entryOf(event as SignedEvent, attachments)]),
        atMs: clock.now(),
      });
    });
    queued();
  }
}

/** Outside any sphere and for all devices of an account nothing else is sent without a line. */
function isHello(row: ReturnType<Storage['outbox']['list']>[number], jid: BareJid): boolean {
  return row.sphereId === null && row.to === jid && row.line === null && parseAudience(row.audience).kind === 'account';
}
