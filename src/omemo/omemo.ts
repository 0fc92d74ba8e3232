// XEP-0384: OMEMO Encryption, version 0.3.0
import { concatBytes, toUtf8 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import type { BareJid } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import type { RandomBytes } from '../base/random.ts';
import { ownBundle } from './bundle.ts';
import { signXeddsa } from './curve.ts';
import type { EncryptInput, Encrypted } from './encrypting.ts';
import { Encrypting } from './encrypting.ts';
import { careForStore, changesBundle, createDevice } from './key-care.ts';
import { isValidId, verifyWithIdentityKey } from './keys.ts';
import { Overlay } from './overlay.ts';
import { openPayload } from './payload.ts';
import { Sessions } from './sessions.ts';
import { loadSignal } from './signal.ts';
import type { SignalLibrary } from './signal-types.ts';
import type { OmemoChanges, OmemoStore, OwnDevice } from './store.ts';
import type {
  DeviceAddress,
  IdentityStanding,
  OmemoBundle,
  OmemoKeyElement,
  OmemoMessage,
  TrustDecision,
} from './types.ts';

/** PROTOCOL: the only thing the OMEMO identity key signs for us; the prefix keeps it apart from prekeys. */
const COUNTERSIGN_PREFIX = toUtf8('spherecast-device-v1\0');
// A device number is only unique per account, so one message may carry several keys under ours.
const MAX_OWN_ELEMENTS = 4;

export interface OmemoDeps {
  readonly store: OmemoStore;
  readonly own: BareJid;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  /** Loaded and proven before; otherwise that happens here. */
  readonly signal?: SignalLibrary;
}

export interface DecryptInput {
  /** The sender's real address, as the room or server vouches for it. */
  readonly from: BareJid;
  readonly message: OmemoMessage;
  readonly trusts?: TrustDecision;
}

export interface Decrypted {
  /** null for a message that only carries a key. */
  readonly text: string | null;
  /** 16 bytes, known to every recipient. */
  readonly messageKey: Uint8Array;
  readonly sender: DeviceAddress;
  readonly identityKey: Uint8Array;
  readonly newIdentity: IdentityStanding;
  /** The sender has had no answer in this session yet: an empty message would complete it. */
  readonly preKey: boolean;
  /** How far the sender's chain has come without an answer of ours; the first message has 0. */
  readonly counter: number;
}

/** The message has no key for this device. */
export interface NotForUs {
  readonly kind: 'not-for-us';
}

/** One try at an operation, on an overlay of its own. */
interface Attempt {
  readonly overlay: Overlay;
  readonly sessions: Sessions;
}

/**
 * This device's side of OMEMO. One operation runs at a time. Nothing is kept until `commit`, which the owner runs
 * in the transaction that also keeps the plaintext or the outgoing message: `store.apply(changes)` belongs there.
 */
export class Omemo {
  /** The published bundle is out of date: call `careForKeys` when the archive is read, then publish `bundle()`. */
  readonly bundleChanged: Emitter<void>;
  /** A message of this device fits none of our sessions with it: unless somebody altered it, ours is broken. */
  readonly onBroken: Emitter<DeviceAddress>;
  /** A message was read. */
  readonly onRead: Emitter<Pick<Decrypted, 'sender' | 'preKey' | 'counter'>>;
  /** A message was made for these devices. */
  readonly onReached: Emitter<readonly DeviceAddress[]>;
  readonly #store: OmemoStore;
  readonly #own: OwnDevice;
  readonly #ownJid: BareJid;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #library: SignalLibrary;
  readonly #queue = new SerialQueue();
  readonly #encrypting: Encrypting;

  private constructor(deps: Omit<OmemoDeps, 'signal'> & { library: SignalLibrary; ownDevice: OwnDevice }) {
    this.#store = deps.store;
    this.#own = deps.ownDevice;
    this.#ownJid = deps.own;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#library = deps.library;
    this.#encrypting = new Encrypting({ store: deps.store, random: deps.random, own: this.address });
    const onError = (error: unknown): void => deps.log.error('listener failed', { error });
    this.bundleChanged = new Emitter(onError);
    this.onBroken = new Emitter(onError);
    this.onRead = new Emitter(onError);
    this.onReached = new Emitter(onError);
  }

  /** Proves the library safe (`encryption-unsafe` otherwise) and makes this device's keys when the store has none. */
  static async open(deps: OmemoDeps): Promise<Omemo> {
    const library = deps.signal ?? (await loadSignal({ random: deps.random }));
    if (deps.store.own() === undefined) deps.store.apply(createDevice(deps.clock.now(), deps.random));
    const ownDevice = deps.store.own();
    if (ownDevice === undefined) throw new AppError('internal', 'the store did not keep the new device');
    return new Omemo({ ...deps, library, ownDevice });
  }

  /** True when the holder of the 33-byte OMEMO identity key countersigned `bytes`. Never throws. */
  static verifyIdentitySignature(identityKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
    return verifyWithIdentityKey(identityKey, concatBytes(COUNTERSIGN_PREFIX, bytes), signature);
  }

  get deviceId(): number {
    return this.#own.deviceId;
  }

  get address(): DeviceAddress {
    return { jid: this.#ownJid, deviceId: this.#own.deviceId };
  }

  /** 33 bytes, the first is 0x05. */
  get identityKey(): Uint8Array {
    return this.#own.publicKey;
  }

  bundle(): OmemoBundle {
    return ownBundle(this.#store);
  }

  /**
   * Encrypts for exactly these devices (this one is left out). Devices that cannot be reached or trusted are listed
   * in the result; `cannot-encrypt` when none is left. `commit` gets the result and must keep the changes.
   */
  async encrypt<T>(
    input: EncryptInput,
    commit: (result: Encrypted, changes: OmemoChanges) => T,
    signal: AbortSignal,
  ): Promise<T> {
    // Bundles come over the network: they are fetched before the queue, so that reading goes on meanwhile.
    const prepared = await this.#encrypting.prepare(input, signal);
    return this.#operation(signal, async (begin) => {
      const { result, overlay } = await fresh(async () => {
        const { overlay, sessions } = begin();
        return { result: await this.#encrypting.run(prepared, overlay, sessions), overlay };
      });
      const kept = commit(result, overlay.changes());
      this.onReached.emit(result.reached.map(({ address }) => address));
      return kept;
    });
  }

  /**
   * Opens a message. `forged` when it or its sender's identity key was tampered with, `cannot-decrypt` when it was
   * read before or its session is gone; neither changes anything.
   */
  async decrypt<T>(
    input: DecryptInput,
    commit: (result: Decrypted, changes: OmemoChanges) => T,
    signal: AbortSignal,
  ): Promise<T | NotForUs> {
    const { message } = input;
    if (!isValidId(message.senderDeviceId)) throw new AppError('forged', 'the sending device has no valid number');
    const ours = message.keys.filter((key) => key.deviceId === this.deviceId).slice(0, MAX_OWN_ELEMENTS);
    if (ours.length === 0) return { kind: 'not-for-us' };
    return this.#operation(signal, async (begin) => {
      const { result, overlay } = await fresh(() => this.#openAny(input, ours, begin));
      const kept = commit(result, overlay.changes());
      if (overlay.usedPreKey) this.bundleChanged.emit();
      const { sender, preKey, counter } = result;
      this.onRead.emit({ sender, preKey, counter });
      return kept;
    });
  }

  /** Signs with the OMEMO identity key, which ties a device certificate to it. */
  identityCountersign(bytes: Uint8Array): Uint8Array {
    return signXeddsa(this.#own.privateKey, concatBytes(COUNTERSIGN_PREFIX, bytes), this.#random);
  }

  /**
   * Refills the prekeys, renews the signed one every week and forgets what is long out of use.
   * Returns true when `bundle()` must be published again.
   */
  careForKeys(signal: AbortSignal): Promise<boolean> {
    return this.#queue.run(() => {
      signal.throwIfAborted();
      const changes = careForStore(this.#store, this.#store.own() ?? this.#own, this.#clock.now(), this.#random);
      this.#store.apply(changes);
      return changesBundle(changes);
    });
  }

  #operation<T>(signal: AbortSignal, work: (begin: () => Attempt) => Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      signal.throwIfAborted();
      const nowMs = this.#clock.now();
      try {
        return await work(() => {
          const overlay = new Overlay({ store: this.#store, own: this.#own, nowMs });
          return { overlay, sessions: new Sessions({ library: this.#library, overlay, nowMs }) };
        });
      } finally {
        this.#library.drain();
      }
    });
  }

  async #openAny(
    input: DecryptInput,
    elements: readonly OmemoKeyElement[],
    begin: () => Attempt,
  ): Promise<{ result: Decrypted; overlay: Overlay }> {
    let refusal: unknown;
    let isBroken = false;
    for (const element of elements) {
      const { overlay, sessions } = begin();
      try {
        return { result: await openElement(input, element, overlay, sessions), overlay };
      } catch (error) {
        // Another device of the same number may be meant by this element, and ours by the next.
        refusal ??= error;
        isBroken ||= error instanceof AppError && error.details['fits'] === 'no session';
      }
    }
    if (isBroken) this.onBroken.emit({ jid: input.from, deviceId: input.message.senderDeviceId });
    throw refusal;
  }
}

/** Tries again when the sessions were not what they seemed: what was lost would never be readable again. */
async function fresh<T extends Pick<Attempt, 'overlay'>>(attempt: () => Promise<T>): Promise<T> {
  let made = await attempt();
  while (made.overlay.isStale) made = await attempt();
  return made;
}

async function openElement(
  { from, message, trusts }: DecryptInput,
  element: OmemoKeyElement,
  overlay: Overlay,
  sessions: Sessions,
): Promise<Decrypted> {
  const sender = { jid: from, deviceId: message.senderDeviceId };
  const { inner, identityKey, counter } = await sessions.decrypt(sender, element);
  const newIdentity = overlay.standing(sender, identityKey);
  if (!(trusts?.(sender, identityKey, newIdentity) ?? newIdentity !== 'changed')) {
    throw new AppError('forged', 'the identity key of the device is not trusted', { newIdentity });
  }
  if (newIdentity !== 'same') overlay.setIdentityKey(sender, identityKey);
  const { messageKey, text } = openPayload(inner, message.iv, message.payload);
  return { text, messageKey, sender, identityKey, newIdentity, preKey: element.preKey, counter };
}
