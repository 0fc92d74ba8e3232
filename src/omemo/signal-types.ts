import type {
  KeyPairType,
  SessionBuilder,
  SessionCipher,
  SignalProtocolAddress,
  StorageType,
} from 'libsignal-protocol-typescript';

/** The store the library asks. */
export type SignalStorage = StorageType;
export type SignalKeyPair = KeyPairType;

export interface SignalClasses {
  readonly SessionBuilder: typeof SessionBuilder;
  readonly SessionCipher: typeof SessionCipher;
  readonly SignalProtocolAddress: typeof SignalProtocolAddress;
}

/** What is used of the library. */
export interface SignalLibrary extends SignalClasses {
  /** The library keeps every promise of its lock for ever: to be called when no operation runs. */
  drain(): void;
}

/** The library takes nothing but an ArrayBuffer of exactly the right length. */
export function toBuffer(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}

/** The library hands ciphertext out as text with one character per byte. */
export function fromBinaryText(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
