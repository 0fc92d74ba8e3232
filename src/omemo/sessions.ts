// XEP-0384: OMEMO Encryption, version 0.3.0
import { AppError } from '../base/errors.ts';
import type { ChosenBundle } from './bundle.ts';
import { checkPublicKey } from './keys.ts';
import type { Overlay } from './overlay.ts';
import { candidates, mergeCandidate, moved, parseRecord } from './session-record.ts';
import type { SignalLibrary } from './signal-types.ts';
import { fromBinaryText, toBuffer } from './signal-types.ts';
import type { DeviceAddress, OmemoKeyElement } from './types.ts';

/** Told beside a refusal that a fresh session would mend, were the message genuine. */
const NO_SESSION = { fits: 'no session' };

/** What came out of a key element, and which identity key it was authenticated with. */
export interface OpenedKey {
  readonly inner: Uint8Array;
  readonly identityKey: Uint8Array;
  /** How far the sender's chain has come without an answer of ours. */
  readonly counter: number;
}

/** The Signal sessions of one operation, all of them on its overlay. */
export class Sessions {
  readonly #library: SignalLibrary;
  readonly #overlay: Overlay;
  readonly #nowMs: number;

  constructor(deps: { library: SignalLibrary; overlay: Overlay; nowMs: number }) {
    this.#library = deps.library;
    this.#overlay = deps.overlay;
    this.#nowMs = deps.nowMs;
  }

  /** Starts a session, closing the one there was. */
  async build(address: DeviceAddress, bundle: ChosenBundle): Promise<void> {
    const { SessionBuilder } = this.#library;
    await new SessionBuilder(this.#overlay, this.#signalAddress(address)).processPreKey({
      registrationId: address.deviceId,
      identityKey: toBuffer(bundle.identityKey),
      signedPreKey: {
        keyId: bundle.signedPreKey.id,
        publicKey: toBuffer(bundle.signedPreKey.publicKey),
        signature: toBuffer(bundle.signedPreKey.signature),
      },
      preKey: { keyId: bundle.preKey.id, publicKey: toBuffer(bundle.preKey.publicKey) },
    });
  }

  async encrypt(address: DeviceAddress, inner: Uint8Array): Promise<OmemoKeyElement> {
    const { type, body } = await this.#cipher(address).encrypt(toBuffer(inner));
    if (body === undefined) throw new AppError('internal', 'the library made no ciphertext');
    return { deviceId: address.deviceId, preKey: type === 3, data: fromBinaryText(body) };
  }

  /** When it fails the overlay is of no use any more. */
  async decrypt(address: DeviceAddress, element: OmemoKeyElement): Promise<OpenedKey> {
    try {
      const opened = element.preKey
        ? await this.#decryptFirst(address, element)
        : await this.#decryptInSession(address, element);
      checkPublicKey(opened.identityKey);
      return opened;
    } catch (error) {
      throw this.#decryptError(error);
    }
  }

  async #decryptFirst(address: DeviceAddress, element: OmemoKeyElement): Promise<OpenedKey> {
    const before = this.#overlay.session(address);
    const inner = await this.#cipher(address).decryptPreKeyWhisperMessage(toBuffer(element.data), 'binary');
    const after = this.#overlay.session(address);
    if (after === undefined) throw new AppError('internal', 'the session was not kept');
    // The key in a first message's outer part is not authenticated; the one of the session that opened it is.
    const { record, ...rest } = moved(before, after);
    this.#overlay.setSession(address, record);
    return { inner: new Uint8Array(inner), ...rest };
  }

  async #decryptInSession(address: DeviceAddress, element: OmemoKeyElement): Promise<OpenedKey> {
    const before = this.#overlay.session(address);
    if (before === undefined) throw new AppError('cannot-decrypt', 'there is no session with the device', NO_SESSION);
    const parsed = parseRecord(before);
    let refusal: unknown;
    for (const candidate of candidates(parsed)) {
      this.#overlay.setSession(address, candidate.record);
      try {
        const inner = await this.#cipher(address).decryptWhisperMessage(toBuffer(element.data), 'binary');
        const decrypted = this.#overlay.session(address) ?? candidate.record;
        const { record, ...rest } = mergeCandidate(parsed, decrypted, candidate.key, this.#nowMs);
        this.#overlay.setSession(address, record);
        return { inner: new Uint8Array(inner), ...rest };
      } catch (error) {
        // The session the message belongs to is found, and the message was in it before.
        if (isRepeated(error)) throw error;
        // The likeliest session's reason says most; the message may still belong to an older one.
        refusal ??= error;
      }
    }
    throw refusal;
  }

  #decryptError(error: unknown): AppError {
    if (error instanceof AppError) return error;
    if (isRepeated(error)) return new AppError('cannot-decrypt', 'the message was decrypted before', {}, error);
    // Without its prekey a first message cannot be told from a forged one.
    if (this.#overlay.missedPreKey) return new AppError('cannot-decrypt', 'the prekey is used up', NO_SESSION, error);
    if (error instanceof Error && error.message.startsWith('Bad MAC')) {
      return new AppError('forged', 'the message was altered', NO_SESSION, error);
    }
    return new AppError('cannot-decrypt', 'the message cannot be decrypted', NO_SESSION, error);
  }

  #cipher(address: DeviceAddress): InstanceType<SignalLibrary['SessionCipher']> {
    const { SessionCipher } = this.#library;
    return new SessionCipher(this.#overlay, this.#signalAddress(address));
  }

  #signalAddress(address: DeviceAddress): InstanceType<SignalLibrary['SignalProtocolAddress']> {
    const { SignalProtocolAddress } = this.#library;
    return new SignalProtocolAddress(address.jid, address.deviceId);
  }
}

function isRepeated(error: unknown): boolean {
  return error instanceof Error && error.name === 'MessageCounterError';
}
