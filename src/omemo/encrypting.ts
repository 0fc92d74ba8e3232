// XEP-0384: OMEMO Encryption, version 0.3.0
import { AppError } from '../base/errors.ts';
import type { RandomBytes } from '../base/random.ts';
import type { ChosenBundle } from './bundle.ts';
import { chooseFromBundle } from './bundle.ts';
import { isValidId } from './keys.ts';
import { type Overlay, standingOf } from './overlay.ts';
import { sealPayload } from './payload.ts';
import { openIdentityKey } from './session-record.ts';
import type { Sessions } from './sessions.ts';
import type { OmemoStore } from './store.ts';
import type {
  DeviceAddress,
  IdentityStanding,
  OmemoBundle,
  OmemoKeyElement,
  OmemoMessage,
  TrustDecision,
} from './types.ts';

const MAX_DEVICES_PER_JID = 50;
const PARALLEL_FETCHES = 8;

export interface EncryptInput {
  readonly recipients: readonly DeviceAddress[];
  /** null for a message that only carries a key. */
  readonly text: string | null;
  readonly fetchBundle: (address: DeviceAddress, signal: AbortSignal) => Promise<OmemoBundle>;
  readonly trusts?: TrustDecision;
  /** Replaces the sessions, for devices that can no longer read ours. */
  readonly fresh?: boolean;
}

export interface ReachedDevice {
  readonly address: DeviceAddress;
  readonly identityKey: Uint8Array;
  readonly standing: IdentityStanding;
}

export interface Encrypted {
  readonly message: OmemoMessage;
  /** 16 bytes, known to every recipient. */
  readonly messageKey: Uint8Array;
  readonly reached: readonly ReachedDevice[];
  readonly unreachable: readonly { readonly address: DeviceAddress; readonly error: AppError }[];
}

/** Everything that had to come over the network for one message. */
export interface Prepared {
  readonly input: EncryptInput;
  readonly recipients: readonly DeviceAddress[];
  readonly bundles: ReadonlyMap<DeviceAddress, ChosenBundle | AppError>;
}

/** Makes one message for many devices. */
export class Encrypting {
  readonly #store: OmemoStore;
  readonly #random: RandomBytes;
  readonly #own: DeviceAddress;

  constructor(deps: { store: OmemoStore; random: RandomBytes; own: DeviceAddress }) {
    this.#store = deps.store;
    this.#random = deps.random;
    this.#own = deps.own;
  }

  /** Fetches and checks the bundles of the devices that have no session yet, or of all for fresh ones. */
  async prepare(input: EncryptInput, signal: AbortSignal): Promise<Prepared> {
    signal.throwIfAborted();
    const recipients = this.#distinct(input.recipients);
    checkDeviceCounts(recipients);
    const bundles = new Map<DeviceAddress, ChosenBundle | AppError>();
    const wanted = recipients.filter(
      (address) => this.#openKey(address, input, this.#store.session(address)) === undefined,
    );
    const waiting = wanted.values();
    const fetchSome = async (): Promise<void> => {
      for (const address of waiting) bundles.set(address, await this.#fetch(input, address, signal));
    };
    await Promise.all(Array.from({ length: PARALLEL_FETCHES }, fetchSome));
    return { input, recipients, bundles };
  }

  async run({ input, recipients, bundles }: Prepared, overlay: Overlay, sessions: Sessions): Promise<Encrypted> {
    const { messageKey, inner, iv, payload } = sealPayload(input.text, this.#random);
    const keys: OmemoKeyElement[] = [];
    const reached: ReachedDevice[] = [];
    const unreachable: { address: DeviceAddress; error: AppError }[] = [];
    for (const address of recipients) {
      const before = overlay.session(address);
      try {
        const device = await this.#reach(address, bundles.get(address), input, overlay, sessions);
        keys.push(await sessions.encrypt(address, inner));
        if (device.standing !== 'same') overlay.setIdentityKey(address, device.identityKey);
        reached.push(device);
      } catch (error) {
        overlay.setSession(address, before);
        unreachable.push({ address, error: asAppError(error) });
      }
    }
    if (recipients.length > 0 && keys.length === 0) {
      const codes = unreachable.map(({ error }) => error.code);
      throw new AppError('cannot-encrypt', 'no device can be reached', { codes }, unreachable[0]?.error);
    }
    const message = { senderDeviceId: this.#own.deviceId, keys, iv, payload };
    return { message, messageKey, reached, unreachable };
  }

  /** Makes sure of a session with a device we may write to. */
  async #reach(
    address: DeviceAddress,
    bundle: ChosenBundle | AppError | undefined,
    input: EncryptInput,
    overlay: Overlay,
    sessions: Sessions,
  ): Promise<ReachedDevice> {
    // A session may have come into being while the bundle was fetched.
    const open = this.#openKey(address, input, overlay.session(address));
    if (open !== undefined) return this.#trusted({ address, identityKey: open }, input, overlay);
    if (bundle === undefined) throw new AppError('internal', 'there is neither session nor bundle');
    if (bundle instanceof AppError) throw bundle;
    const device = this.#trusted({ address, identityKey: bundle.identityKey }, input, overlay);
    await sessions.build(address, bundle);
    return device;
  }

  /** The key at the other end of an open session. One with a key that is not trusted is none: the true one is asked for. */
  #openKey(address: DeviceAddress, { fresh, trusts }: EncryptInput, record: string | undefined) {
    const key = fresh === true ? undefined : openIdentityKey(record);
    if (key === undefined) return undefined;
    const standing = standingOf(this.#store.identityKey(address), key);
    return (trusts?.(address, key, standing) ?? standing !== 'changed') ? key : undefined;
  }

  #trusted(device: Omit<ReachedDevice, 'standing'>, input: EncryptInput, overlay: Overlay): ReachedDevice {
    const { address, identityKey } = device;
    const standing = overlay.standing(address, identityKey);
    if (!(input.trusts?.(address, identityKey, standing) ?? standing !== 'changed')) {
      throw new AppError('forged', 'the identity key of the device is not trusted', { standing });
    }
    return { address, identityKey, standing };
  }

  async #fetch(input: EncryptInput, address: DeviceAddress, signal: AbortSignal): Promise<ChosenBundle | AppError> {
    try {
      if (!isValidId(address.deviceId)) throw new AppError('bad-input', 'the device has no valid number');
      return chooseFromBundle(await input.fetchBundle(address, signal), this.#random);
    } catch (error) {
      signal.throwIfAborted();
      return asAppError(error);
    }
  }

  /** Without repetitions and without this device, in the order given. */
  #distinct(recipients: readonly DeviceAddress[]): readonly DeviceAddress[] {
    const seen = new Set([`${this.#own.jid} ${this.#own.deviceId}`]);
    return recipients.filter(({ jid, deviceId }) => {
      const key = `${jid} ${deviceId}`;
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    });
  }
}

function checkDeviceCounts(recipients: readonly DeviceAddress[]): void {
  const counts = new Map<string, number>();
  for (const { jid } of recipients) {
    const count = (counts.get(jid) ?? 0) + 1;
    if (count > MAX_DEVICES_PER_JID) throw new AppError('too-large', 'an account has too many devices', { count });
    counts.set(jid, count);
  }
}

function asAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError('cannot-encrypt', 'the device cannot be reached', {}, error);
}
