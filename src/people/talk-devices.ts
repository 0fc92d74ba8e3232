import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { DeviceAddress, OmemoBundle, TrustDecision } from '../omemo/types.ts';
import type { ChosenDevice } from '../spheres/device-choices.ts';
import { DeviceChoices } from '../spheres/device-choices.ts';
import type { Storage } from '../storage/storage.ts';
import { ComparedKeys } from './compared-keys.ts';

/** What is known of people's OMEMO devices. */
export interface DeviceFinder {
  deviceIds(jid: BareJid): Promise<readonly number[]>;
  /** The same, whatever was heard before. */
  askDeviceIds(jid: BareJid): Promise<readonly number[]>;
  bundle(address: DeviceAddress, signal?: AbortSignal): Promise<OmemoBundle>;
  /** Why the account cannot be reached, when its server says so. */
  trouble(jid: BareJid): 'nobody-there' | 'server-silent' | null;
  /** An account lists these devices now. */
  readonly onListed: Emitter<{ readonly jid: BareJid; readonly deviceIds: readonly number[] }>;
}

/** Identity keys in hex, each with the number of its device. */
export interface KeysOfPerson {
  /** Of installations of Spherecast. */
  readonly certified: ReadonlyMap<string, number>;
  /** Of other programs that these say are the person's too, and of devices that were compared one by one. */
  readonly vouched: ReadonlyMap<string, number>;
}

/** The keys of the person at an account; null as long as nobody's number or device was ever compared there. */
export type KeysOf = (jid: BareJid) => KeysOfPerson | null;

/**
 * `blind`: nothing was ever compared, and every device is trusted. `compared`: only what is vouched for is. `asked`: what was
 * compared was taken back or counts no more, and each device is asked about.
 */
export type Trust = 'blind' | 'compared' | 'asked';

/** Which devices may read what is said with one person, as it is known at one moment. */
export interface Readers {
  readonly trusts: TrustDecision;
  /** Whether nothing need be asked of a device: by the key it was met with it may not read. */
  isLeftOut(address: DeviceAddress): boolean;
}

interface TalkDevicesDeps {
  readonly storage: Pick<Storage, 'settings' | 'knownDevices'>;
  readonly devices: DeviceFinder;
  readonly keysOf: KeysOf;
  readonly own: BareJid;
  /** Of this device. */
  readonly deviceId: number;
  /** Whether what our own computers said of themselves while this one was away is known, or cannot be. */
  readonly isMailRead: () => boolean;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

interface Listed {
  readonly deviceIds: readonly number[];
  /** When the newest of them was first heard of, by the monotonic clock. */
  readonly sinceMs: number;
}

/** A new computer is on the list some time before its person's key has certified it. */
const PATIENCE_MS = 120_000;

/**
 * Whoever runs a server can put devices into a list. Before a person's number is compared all of them may read what is said with
 * the person; from then on only those that the person vouches for, and those that ours lets in.
 */
export class TalkDevices {
  /** What is said of the devices of an account is different. */
  readonly onChange: Emitter<BareJid>;
  /** At an account is a device that nobody vouches for, and was not before. */
  readonly onStrange: Emitter<BareJid>;
  /** Somebody to whom nothing could be said because nobody vouched for their devices has one that is vouched for. */
  readonly onVouched: Emitter<BareJid>;
  readonly #deps: TalkDevicesDeps;
  /** Those to whom nothing could be said, each with their devices that were vouched for even then. */
  readonly #refused = new Map<BareJid, ReadonlySet<number>>();
  /** Of those, whose list is to be asked for: without a subscription nobody tells us of a new device. */
  readonly #stale = new Set<BareJid>();
  readonly #listed = new Map<BareJid, Listed>();
  #isDue = false;

  constructor(deps: TalkDevicesDeps) {
    this.#deps = deps;
    this.onChange = new Emitter(deps.onError);
    this.onStrange = new Emitter(deps.onError);
    this.onVouched = new Emitter(deps.onError);
    deps.devices.onListed.on(({ jid, deviceIds }) => {
      const before = this.#listed.get(jid);
      const isLonger = deviceIds.some((id) => before?.deviceIds.includes(id) !== true);
      const sinceMs = before === undefined || isLonger ? deps.clock.monotonic() : before.sinceMs;
      this.#listed.set(jid, { deviceIds, sinceMs });
      this.#tryAgain(jid);
      this.#lookSoon();
    });
  }

  readersWith(peer: BareJid): Readers {
    const { storage, keysOf, own } = this.#deps;
    const [theirs, ours] = [keysOf(peer), keysOf(own)];
    const isCompared = theirs !== null;
    const mayRead = (address: DeviceAddress, key: Uint8Array): boolean | null => {
      const identityKey = toHex(key);
      const keys = address.jid === own ? ours : theirs;
      const isCertified = keys?.certified.has(identityKey) === true;
      const isVouched = keys?.vouched.has(identityKey) === true;
      // Of a program of our own we may know better than the computer that vouched for it.
      if (isCertified || (isVouched && address.jid !== own)) return true;
      const choice = DeviceChoices.of(storage, address.jid, { deviceId: address.deviceId, identityKey });
      if (choice === 'left-out') return false;
      if (choice === 'let-in' || isVouched) return true;
      // The person was told that it gets nothing: that their numbers turn out to differ does not let it read.
      if (address.jid !== own && DeviceChoices.isOpen(storage, address)) return false;
      return isCompared && keys !== null ? false : null;
    };
    return {
      trusts: (address, key, standing) => mayRead(address, key) ?? standing !== 'changed',
      isLeftOut(address) {
        const met = storage.knownDevices.get(address.jid, address.deviceId);
        return met !== undefined && mayRead(address, met.identityKey) === false;
      },
    };
  }

  /** Of an account: the devices that nobody vouches for; of our own also the programs that we vouch for. */
  list(jid: BareJid): ChosenDevice[] {
    const { storage, keysOf, own } = this.#deps;
    const keys = keysOf(jid);
    const known = jid === own ? new Set(keys?.certified.values()) : vouchedIds(keys);
    const chosen = DeviceChoices.list(storage, jid).filter(({ deviceId, choice }) => {
      return !known.has(deviceId) && (keys !== null || jid !== own || choice !== 'open');
    });
    if (jid !== own || keys === null) return chosen;
    const vouched = [...keys.vouched].filter(([, id]) => !known.has(id) && !chosen.some((one) => one.deviceId === id));
    const programs = vouched.map(([identityKey, deviceId]): ChosenDevice => {
      const sinceMs = storage.knownDevices.get(own, deviceId)?.firstSeenMs ?? 0;
      return { deviceId, identityKey, choice: 'let-in', sinceMs };
    });
    return [...programs, ...chosen];
  }

  /** The person says whether a device may read, as often as they like. */
  async choose(
    { jid, deviceId, choice }: { jid: BareJid; deviceId: number; choice: 'let-in' | 'left-out' },
    signal: AbortSignal,
  ): Promise<void> {
    const { storage, devices, clock } = this.#deps;
    const known = this.list(jid).find((one) => one.deviceId === deviceId);
    if (known === undefined) throw new AppError('not-found', 'no such device');
    // Nobody is let in without the key that they are to keep.
    const isAsked = choice === 'let-in' && known.identityKey === null;
    const key = isAsked ? toHex((await devices.bundle({ jid, deviceId }, signal)).identityKey) : known.identityKey;
    const others = DeviceChoices.list(storage, jid).filter((one) => one.deviceId !== deviceId);
    const letInAtMs = choice === 'let-in' ? ComparedKeys.laterMs(storage, { jid, deviceId }, clock.now()) : undefined;
    DeviceChoices.replace(storage, jid, [...others, { ...known, identityKey: key, choice, letInAtMs }]);
    ComparedKeys.settle(storage, { jid, deviceId });
    this.onChange.emit(jid);
  }

  /** Another computer of ours vouches for a program no more. Whether nothing had been said of it here. */
  leaveOutToo({ deviceId, identityKey }: { readonly deviceId: number; readonly identityKey: string }): boolean {
    const { storage, clock, own } = this.#deps;
    const all = DeviceChoices.list(storage, own);
    const known = all.find((one) => one.deviceId === deviceId);
    if (known !== undefined && known.choice !== 'open') return false;
    const others = all.filter((one) => one !== known);
    const sinceMs = known?.sinceMs ?? clock.now();
    DeviceChoices.replace(storage, own, [...others, { deviceId, identityKey, choice: 'left-out', sinceMs }]);
    this.onChange.emit(own);
    return true;
  }

  /** Nothing can be said to somebody now: the line that did not leave says that it is about their devices. */
  refused(jid: BareJid): void {
    this.#refused.set(jid, this.#vouchedAt(jid));
    this.look(jid);
  }

  /** Somebody was compared, or vouches for others than before. */
  lookAgain(): void {
    for (const jid of [...this.#refused.keys()]) {
      this.#tryAgain(jid);
      if (this.#refused.has(jid)) this.#stale.add(jid);
    }
    this.#lookSoon();
  }

  trustIn(jid: BareJid): Trust {
    const keys = this.#deps.keysOf(jid);
    if (keys === null) return 'blind';
    return keys.certified.size + keys.vouched.size > 0 ? 'compared' : 'asked';
  }

  /** Notes which devices of an account nobody vouches for, and tells of new ones. */
  look(jid: BareJid): void {
    if (this.ask(jid)) this.onStrange.emit(jid);
  }

  /** The same for somebody whom the person has just looked at; whether there are new ones. */
  ask(jid: BareJid): boolean {
    const { storage, clock, own, deviceId: here } = this.#deps;
    const keys = this.#deps.keysOf(jid);
    const listed = this.#listed.get(jid)?.deviceIds;
    if (listed === undefined || keys === null) return false;
    const vouched = vouchedIds(keys);
    const isStrange = (id: number): boolean => !vouched.has(id) && !(jid === own && id === here);
    const before = DeviceChoices.list(storage, jid);
    const kept = before.filter(({ deviceId, choice }) => {
      return choice !== 'open' || (listed.includes(deviceId) && isStrange(deviceId));
    });
    const added = listed.filter((id) => isStrange(id) && !before.some(({ deviceId }) => deviceId === id));
    if (added.length === 0 && kept.length === before.length) return false;
    const news = added.map((deviceId): ChosenDevice => {
      return { deviceId, identityKey: null, choice: 'open', sinceMs: clock.now() };
    });
    DeviceChoices.replace(storage, jid, [...kept, ...news]);
    this.onChange.emit(jid);
    return news.length > 0;
  }

  /** Only for a device that was not vouched for before: lines that fail for another reason would go round for ever. */
  #tryAgain(jid: BareJid): void {
    const before = this.#refused.get(jid);
    if (before === undefined || [...this.#vouchedAt(jid)].every((id) => before.has(id))) return;
    this.#refused.delete(jid);
    this.onVouched.emit(jid);
  }

  /** The listed devices of somebody compared that are vouched for. */
  #vouchedAt(jid: BareJid): Set<number> {
    const known = vouchedIds(this.#deps.keysOf(jid));
    return new Set(this.#listed.get(jid)?.deviceIds.filter((id) => known.has(id)));
  }

  #lookSoon(): void {
    const { clock, spawn, isMailRead } = this.#deps;
    if (this.#isDue) return;
    this.#isDue = true;
    spawn('look at the devices of people', async (signal) => {
      await clock.sleep(PATIENCE_MS, signal);
      this.#isDue = false;
      if (!isMailRead()) return this.#lookSoon();
      this.#askStale();
      const untilMs = clock.monotonic() - PATIENCE_MS;
      const listed = [...this.#listed];
      for (const [jid, { sinceMs }] of listed) if (sinceMs <= untilMs) this.look(jid);
      if (listed.some(([, { sinceMs }]) => sinceMs > untilMs)) this.#lookSoon();
    });
  }

  #askStale(): void {
    const { devices, spawn } = this.#deps;
    for (const jid of [...this.#stale].filter((one) => this.#refused.has(one))) {
      spawn('ask for the devices of somebody', async () => {
        try {
          await devices.askDeviceIds(jid);
        } catch {
          // Without a connection: with the next look.
          this.#stale.add(jid);
        }
      });
    }
    this.#stale.clear();
  }
}

/** The numbers of the devices that a person vouches for in whichever way; none of somebody who was not compared. */
function vouchedIds(keys: KeysOfPerson | null): Set<number> {
  return new Set([...(keys?.certified.values() ?? []), ...(keys?.vouched.values() ?? [])]);
}
