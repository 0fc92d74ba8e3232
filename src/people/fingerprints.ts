import { fromHex, toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { DeviceAddress } from '../omemo/types.ts';
import { DeviceChoices } from '../spheres/device-choices.ts';
import type { Storage } from '../storage/storage.ts';
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
}

const MAX_PER_ACCOUNT = 50;
const KEY_TYPE = '05';

export function fingerprintOf(identityKey: string): string {
  return identityKey.slice(KEY_TYPE.length);
}

/** Compares the devices of somebody one by one, as ordinary XMPP programs do, and as it goes with whoever is met in no sphere. */
export class Fingerprints {
  readonly #deps: FingerprintsDeps;

  constructor(deps: FingerprintsDeps) {
    this.#deps = deps;
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
    const { storage, readers, own, clock } = this.#deps;
    if (jid === own) throw new AppError('conflict', 'this is our own address');
    const nowMs = clock.now();
    const keys = devices.map(({ deviceId, fingerprint }) => ({ deviceId, identityKey: KEY_TYPE + fingerprint }));
    const isOther = ({ deviceId }: { deviceId: number }): boolean => !keys.some((key) => key.deviceId === deviceId);
    const same = isSame ? keys.map((key) => ({ ...key, atMs: nowMs })) : [];
    const leftOut = isSame ? [] : keys.map((key) => ({ ...key, choice: 'left-out' as const, sinceMs: nowMs }));
    const swapped = same.filter(({ deviceId, identityKey }) => {
      const known = storage.knownDevices.get(jid, deviceId);
      return known !== undefined && toHex(known.identityKey) !== identityKey;
    });
    storage.transaction(() => {
      ComparedKeys.replace(storage, jid, [...ComparedKeys.list(storage, jid).filter(isOther), ...same]);
      DeviceChoices.replace(storage, jid, [...DeviceChoices.list(storage, jid).filter(isOther), ...leftOut]);
      for (const { deviceId, identityKey } of swapped) {
        const key = fromHex(identityKey);
        if (key !== undefined) storage.knownDevices.learn(jid, deviceId, key, nowMs);
      }
    });
    readers.ask(jid);
    readers.onChange.emit(jid);
    return swapped.map(({ deviceId }) => ({ jid, deviceId }));
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
