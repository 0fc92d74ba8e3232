import { fromHex, toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { DeviceAddress } from '../omemo/types.ts';
import type { ChosenDevice } from '../spheres/device-choices.ts';
import { DeviceChoices } from '../spheres/device-choices.ts';
import { ManualTrust } from '../spheres/manual-trust.ts';
import type { Storage } from '../storage/storage.ts';
import type { ComparedWord } from '../spheres/protocol/own-words.ts';
import type { ComparedKey } from './compared-keys.ts';
import { ComparedKeys } from './compared-keys.ts';
import type { DeviceFinder, KeysOf, TalkDevices } from './talk-devices.ts';

/** What people compare of one device: its identity key without the byte that says which kind it is, in hex. */
export interface DeviceFingerprint {
  readonly deviceId: number;
  readonly fingerprint: string;
}

/** A device of somebody; the fingerprint is null when its keys cannot be had now. */
export interface ListedFingerprint {
  readonly deviceId: number;
  readonly fingerprint: string | null;
  readonly standing: 'open' | 'compared' | 'let-in' | 'left-out';
}

/** What the person says after they compared. */
export interface Comparison {
  readonly jid: BareJid;
  readonly devices: readonly DeviceFingerprint[];
  readonly isSame: boolean;
}

interface FingerprintsDeps {
  readonly storage: Pick<Storage, 'settings' | 'knownDevices' | 'transaction'>;
  readonly devices: DeviceFinder;
  readonly readers: Pick<TalkDevices, 'ask' | 'onChange'>;
  readonly keysOf: KeysOf;
  readonly own: BareJid;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

/** What became of what was said elsewhere: who was met with another key than theirs, and whether a device was found the same. */
interface Heard {
  readonly swapped: readonly DeviceAddress[];
  readonly isSame: boolean;
}

/** What was said elsewhere, at a time that our clock can be asked about; `aheadMs`: the one named, where it cannot. */
type HeardDevice = ComparedWord['devices'][number] & { readonly aheadMs?: number };

const MAX_PER_ACCOUNT = 50;
/** Between clocks that nobody has noticed to be wrong lies a day or so, by the zone or by the date. */
const CLOCKS_MS = 2 * 24 * 3_600_000;
/** Of so many people another computer of ours tells. */
const MAX_ACCOUNTS = 1_000;
const KEY_TYPE = '05';

export function fingerprintOf(identityKey: string): string {
  return identityKey.slice(KEY_TYPE.length);
}

/** Compares the devices of somebody one by one, as ordinary XMPP programs do, and as it goes with whoever is met in no sphere. */
export class Fingerprints {
  /** The person said here what they found. */
  readonly onSaid: Emitter<BareJid>;
  readonly #deps: FingerprintsDeps;

  constructor(deps: FingerprintsDeps) {
    this.#deps = deps;
    this.onSaid = new Emitter(deps.onError);
  }

  async list(jid: BareJid, signal: AbortSignal): Promise<ListedFingerprint[]> {
    const { storage, devices } = this.#deps;
    const listed = (await devices.askDeviceIds(jid)).slice(0, MAX_PER_ACCOUNT);
    const compared = ComparedKeys.list(storage, jid).map(({ deviceId }) => deviceId);
    const ids = [...new Set([...listed, ...compared])];
    return await Promise.all(ids.map((deviceId) => this.#look(jid, deviceId, signal)));
  }

  /**
   * Says of devices whether what the person's program shows is what ours shows.
   * @returns those that were met with another key than the one that is theirs
   */
  compare({ jid, devices, isSame }: Comparison): DeviceAddress[] {
    const { storage, own, clock } = this.#deps;
    if (jid === own) throw new AppError('conflict', 'this is our own address');
    const found = devices.map(({ deviceId, fingerprint }): ComparedKey => {
      const atMs = ComparedKeys.laterMs(storage, { jid, deviceId }, clock.now());
      const key = { deviceId, identityKey: KEY_TYPE + fingerprint, atMs };
      return isSame ? key : { ...key, differs: true };
    });
    const swapped = storage.transaction(() => this.#keep(jid, found));
    this.#changed(jid);
    this.onSaid.emit(jid);
    return swapped;
  }

  /** What the person has said here, for their other computers. */
  words(accounts = ComparedKeys.accounts(this.#deps.storage)): ComparedWord[] {
    const { storage } = this.#deps;
    return accounts.flatMap((jid) => {
      const devices = ComparedKeys.said(storage, jid).map(({ heard: _heard, aheadMs: _aheadMs, differs, ...key }) => {
        return { ...key, isSame: differs !== true };
      });
      return devices.length === 0 ? [] : [{ jid, isAsked: ManualTrust.isOn(storage, jid), devices }];
    });
  }

  /** What the person said at another computer of theirs: the later word holds, but what was left out here stays out. */
  hear({ jid, isAsked, devices }: ComparedWord): Heard {
    const { storage, own } = this.#deps;
    const isKnown = ComparedKeys.said(storage, jid).length > 0;
    const isTooMany = !isKnown && ComparedKeys.accounts(storage).length >= MAX_ACCOUNTS;
    const heard = devices.map((device) => this.#byOurClock(device));
    const fresh = jid === own || isTooMany ? [] : heard.filter((device) => this.#isNews(jid, device));
    const isNewlyAsked = isAsked && isKnown && !ManualTrust.isOn(storage, jid);
    if (fresh.length === 0 && !isNewlyAsked) return { swapped: [], isSame: false };
    const found = fresh.map(({ isSame, ...key }): ComparedKey => {
      return { ...key, heard: true, ...(isSame ? {} : { differs: true as const }) };
    });
    const swapped = storage.transaction(() => {
      if (isAsked) ManualTrust.keep(storage, jid);
      return this.#keep(jid, found);
    });
    this.#changed(jid);
    return { swapped, isSame: fresh.some(({ isSame }) => isSame) };
  }

  /**
   * By a clock that is far ahead nobody can tell what was said before and what after, and whoever has a computer of ours may
   * name any time: that one differs counts as said now, when it is heard of first, and that it is the same before all else.
   */
  #byOurClock(device: ComparedWord['devices'][number]): HeardDevice {
    const { clock } = this.#deps;
    const nowMs = clock.now();
    if (device.atMs <= nowMs + CLOCKS_MS) return device;
    return { ...device, atMs: device.isSame ? 0 : nowMs, aheadMs: device.atMs };
  }

  #isNews(jid: BareJid, { deviceId, isSame, atMs, aheadMs }: HeardDevice): boolean {
    const { storage } = this.#deps;
    const known = ComparedKeys.said(storage, jid).find((key) => key.deviceId === deviceId);
    const choice = DeviceChoices.list(storage, jid).find((one) => one.deviceId === deviceId);
    if (aheadMs !== undefined && aheadMs <= (known?.aheadMs ?? 0)) return false;
    const isLater = known === undefined || atMs > known.atMs || (atMs === known.atMs && !isSame && !known.differs);
    if (!isSame) return isLater && atMs > (choice?.letInAtMs ?? -1);
    // Left out because of what was said elsewhere, it is taken in again by what is said elsewhere.
    return isLater && (choice?.choice !== 'left-out' || known?.heard === true);
  }

  #keep(jid: BareJid, found: readonly ComparedKey[]): DeviceAddress[] {
    const { storage, clock } = this.#deps;
    const nowMs = clock.now();
    const isOther = ({ deviceId }: { deviceId: number }): boolean => !found.some((key) => key.deviceId === deviceId);
    const [same, differing] = [found.filter((key) => !key.differs), found.filter((key) => key.differs)];
    const leftOut = differing.map(({ deviceId, identityKey }) => {
      return { deviceId, identityKey, choice: 'left-out' as const, sinceMs: nowMs };
    });
    const isTakenBack = ComparedKeys.list(storage, jid).some(({ deviceId: id }) =>
      differing.some((key) => key.deviceId === id),
    );
    if (isTakenBack) ManualTrust.keep(storage, jid);
    const said = ComparedKeys.said(storage, jid);
    const kept = found.map((key) => ({ aheadMs: said.find((one) => one.deviceId === key.deviceId)?.aheadMs, ...key }));
    ComparedKeys.replace(storage, jid, [...said.filter(isOther), ...kept]);
    // Let in later than it was found the same elsewhere, it is still so.
    const isLetIn = ({ deviceId, letInAtMs = -1 }: ChosenDevice): boolean =>
      same.some((key) => key.deviceId === deviceId && key.atMs < letInAtMs);
    const choices = DeviceChoices.list(storage, jid).filter((one) => isOther(one) || isLetIn(one));
    DeviceChoices.replace(storage, jid, [...choices, ...leftOut]);
    const swapped = same.filter(({ deviceId, identityKey }) => {
      const known = storage.knownDevices.get(jid, deviceId);
      return known !== undefined && toHex(known.identityKey) !== identityKey;
    });
    for (const { deviceId, identityKey } of swapped) {
      const key = fromHex(identityKey);
      if (key !== undefined) storage.knownDevices.learn(jid, deviceId, key, nowMs);
    }
    return swapped.map(({ deviceId }) => ({ jid, deviceId }));
  }

  #changed(jid: BareJid): void {
    const { readers } = this.#deps;
    readers.ask(jid);
    readers.onChange.emit(jid);
  }

  async #look(jid: BareJid, deviceId: number, signal: AbortSignal): Promise<ListedFingerprint> {
    const { storage, keysOf } = this.#deps;
    const identityKey = await this.#keyOf(jid, deviceId, signal);
    if (identityKey === null) {
      const isLeftOut = DeviceChoices.list(storage, jid).some(
        (one) => one.deviceId === deviceId && one.choice === 'left-out',
      );
      return { deviceId, fingerprint: null, standing: isLeftOut ? 'left-out' : 'open' };
    }
    const keys = keysOf(jid);
    const isKnown = keys?.certified.has(identityKey) === true || keys?.vouched.has(identityKey) === true;
    const choice = DeviceChoices.of(storage, jid, { deviceId, identityKey });
    return { deviceId, fingerprint: fingerprintOf(identityKey), standing: isKnown ? 'compared' : (choice ?? 'open') };
  }

  async #keyOf(jid: BareJid, deviceId: number, signal: AbortSignal): Promise<string | null> {
    const { storage, devices } = this.#deps;
    const known = storage.knownDevices.get(jid, deviceId);
    if (known !== undefined) return toHex(known.identityKey);
    try {
      return toHex((await devices.bundle({ jid, deviceId }, signal)).identityKey);
    } catch {
      signal.throwIfAborted();
      // It published none, or its server does not answer: the others can be compared.
      return null;
    }
  }
}
