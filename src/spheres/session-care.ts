// XEP-0384: OMEMO Encryption, version 0.3.0
import { equalBytes, fromHex, toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { RecurringWork } from '../base/recurring-work.ts';
import type { EncryptInput } from '../omemo/encrypting.ts';
import type { Decrypted, Omemo } from '../omemo/omemo.ts';
import type { DeviceAddress, OmemoMessage, TrustDecision } from '../omemo/types.ts';
import type { Storage } from '../storage/storage.ts';
import type { Carrier } from './carrier.ts';
import type { DeviceDirectory } from './device-directory.ts';
import { knownDevices } from './recipients.ts';
import type { SphereList } from './sphere-list.ts';

/** People with whom we talk outside of spheres. */
export interface TalkPartners {
  /** Decides about the key of a device of theirs; undefined where nothing of the kind is sent. */
  trustsFor(address: DeviceAddress, what: 'repair' | 'heartbeat'): TrustDecision | undefined;
}

interface SessionCareDeps {
  readonly storage: Storage;
  readonly omemo: Omemo;
  readonly directory: DeviceDirectory;
  readonly carrier: Carrier;
  readonly list: SphereList;
  readonly partners: TalkPartners;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

const HOUR_MS = 3_600_000;
/** Whoever makes up unreadable messages makes us send one message an hour. */
const FRESH_EVERY_MS = HOUR_MS;
/** One that could not be sent is tried again after so long, whatever comes meanwhile. */
const FAILED_AGAIN_MS = 60_000;
const HEARTBEAT_EVERY_MS = HOUR_MS;
/** Something to say often comes anyway, and is answer enough. */
const HEARTBEAT_AFTER_MS = 60_000;
const FRESH_AFTER_MS = 2_000;
/** The sender's keys are not renewed until something comes back: later versions of XEP-0384 ask for it from here on. */
const UNANSWERED_COUNTER = 53;
const FRESH_MARKS = 'fresh-sessions';
const IDLE_MS = 6 * HOUR_MS;
/** Of one account, as many as read a line. */
const MAX_PER_ACCOUNT = 50;
/** Whoever makes up devices does not fill the memory. */
const MAX_DUE = 500;

/** What is due to one device. */
interface Due {
  readonly address: DeviceAddress;
  readonly isFresh: boolean;
  readonly atMs: number;
}

/**
 * Keeps OMEMO sessions in order by messages that carry nothing but a key: a broken one is replaced, one that only ever
 * hears gets an answer. Such messages go to devices that a member's log certifies, and to listed ones of people we talk with.
 */
export class SessionCare implements Disposable {
  readonly #deps: SessionCareDeps;
  readonly #due = new Map<string, Due>();
  readonly #heartbeats = new Map<string, number>();
  readonly #stops: (() => void)[];
  readonly #work: RecurringWork;

  constructor(deps: SessionCareDeps) {
    this.#deps = deps;
    const { omemo } = deps;
    this.#work = new RecurringWork({ ...deps, pass: (signal) => this.#pass(signal), retryMs: FRESH_AFTER_MS });
    this.#stops = [
      omemo.onBroken.on((address) => this.#broken(address)),
      omemo.onRead.on((read) => this.#read(read)),
      omemo.onReached.on((addresses) => this.#answered(addresses)),
    ];
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#work.run(signal);
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
  }

  async #pass(signal: AbortSignal): Promise<number> {
    const { clock, carrier } = this.#deps;
    if (carrier.isOnline) for (const due of [...this.#due.values()]) await this.#send(due, signal);
    const nextMs = Math.min(...[...this.#due.values()].map(({ atMs }) => atMs), clock.monotonic() + IDLE_MS);
    return Math.max(FRESH_AFTER_MS, nextMs - clock.monotonic());
  }

  #broken(address: DeviceAddress): void {
    if (this.#trustsFor(address, 'repair') === undefined || !this.#mayRenew(address)) return;
    this.#plan({ address, isFresh: true, atMs: this.#deps.clock.monotonic() + FRESH_AFTER_MS });
  }

  #read({ sender, preKey, counter }: Pick<Decrypted, 'sender' | 'preKey' | 'counter'>): void {
    const key = keyOf(sender);
    if (!preKey && counter < UNANSWERED_COUNTER) return;
    if (this.#due.has(key) || this.#trustsFor(sender, 'heartbeat') === undefined) return;
    const now = this.#deps.clock.monotonic();
    const soonest = (this.#heartbeats.get(key) ?? -Infinity) + HEARTBEAT_EVERY_MS;
    this.#plan({ address: sender, isFresh: false, atMs: Math.max(soonest, now + HEARTBEAT_AFTER_MS) });
  }

  #answered(addresses: readonly DeviceAddress[]): void {
    for (const address of addresses) {
      const key = keyOf(address);
      if (this.#due.get(key)?.isFresh === false) this.#due.delete(key);
    }
  }

  #plan(due: Due): void {
    if (this.#due.size >= MAX_DUE) return;
    this.#due.set(keyOf(due.address), due);
    this.#work.wake();
  }

  async #send(due: Due, signal: AbortSignal): Promise<void> {
    const { clock, carrier, omemo, random, log } = this.#deps;
    const { address, isFresh } = due;
    const key = keyOf(address);
    if (due.atMs > clock.monotonic() || this.#due.get(key) !== due) return;
    this.#due.delete(key);
    const trusts = this.#trustsFor(address, isFresh ? 'repair' : 'heartbeat');
    if (trusts === undefined || address.deviceId === omemo.deviceId) return;
    try {
      if (!(await this.#isThere(address))) return;
      if (isFresh) this.#noteRenewal(address, 'begun');
      else this.#heartbeats.set(key, clock.monotonic());
      const message = await this.#keyMessage(address, { trusts, fresh: isFresh }, signal);
      const id = toHex(random(16));
      await carrier.toAccount(
        address.jid,
        { id, omemo: message, sealed: null, hasLine: false, invitesTo: null },
        signal,
      );
      log.info(isFresh ? 'session replaced' : 'heartbeat sent', { deviceId: address.deviceId });
    } catch (error) {
      if (isFresh) this.#noteRenewal(address, 'failed');
      signal.throwIfAborted();
      // What it says next makes it due again.
      log.info('key message not sent', { error });
    }
  }

  #keyMessage(
    address: DeviceAddress,
    how: Pick<EncryptInput, 'trusts' | 'fresh'>,
    signal: AbortSignal,
  ): Promise<OmemoMessage> {
    const { omemo, directory, storage } = this.#deps;
    return omemo.encrypt(
      {
        recipients: [address],
        text: null,
        ...how,
        fetchBundle: (device, stop) => directory.bundle(device, stop),
      },
      ({ message }, changes) => {
        storage.transaction(() => storage.omemo.apply(changes));
        return message;
      },
      signal,
    );
  }

  #trustsFor(address: DeviceAddress, what: 'repair' | 'heartbeat'): TrustDecision | undefined {
    const certified = this.#identityOf(address);
    if (certified === undefined) return this.#deps.partners.trustsFor(address, what);
    return (_address, identityKey) => equalBytes(identityKey, certified);
  }

  /** Whether a member's log or the account itself names the device: anything else may be made up. */
  async #isThere(address: DeviceAddress): Promise<boolean> {
    if (this.#identityOf(address) !== undefined) return true;
    const listed = await this.#deps.directory.deviceIds(address.jid);
    return listed.slice(0, MAX_PER_ACCOUNT).includes(address.deviceId);
  }

  /** The identity key that a member's certificate gives this device. */
  #identityOf({ jid, deviceId }: DeviceAddress): Uint8Array | undefined {
    for (const { state } of this.#deps.list.all()) {
      const found = knownDevices(state, jid).find((device) => device.deviceId === deviceId);
      if (found !== undefined) return fromHex(found.identityKey);
    }
    return undefined;
  }

  #mayRenew(address: DeviceAddress): boolean {
    return this.#deps.clock.now() - (this.#renewals()[keyOf(address)] ?? -Infinity) >= FRESH_EVERY_MS;
  }

  /** Kept over restarts. */
  #noteRenewal(address: DeviceAddress, outcome: 'begun' | 'failed'): void {
    const now = this.#deps.clock.now();
    const marks = new Map(Object.entries(this.#renewals()).filter(([, atMs]) => now - atMs < FRESH_EVERY_MS));
    marks.set(keyOf(address), outcome === 'begun' ? now : now - FRESH_EVERY_MS + FAILED_AGAIN_MS);
    this.#deps.storage.settings.set(FRESH_MARKS, Object.fromEntries(marks));
  }

  #renewals(): Readonly<Record<string, number>> {
    const marks = this.#deps.storage.settings.get(FRESH_MARKS, (value) => value as Record<string, number>) ?? {};
    const now = this.#deps.clock.now();
    // A clock that was set back must not keep sessions broken for as long.
    return Object.fromEntries(Object.entries(marks).filter(([, atMs]) => atMs <= now));
  }
}

function keyOf({ jid, deviceId }: DeviceAddress): string {
  return `${jid}/${deviceId}`;
}
