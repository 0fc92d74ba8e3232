import type { DeviceAddress } from './types.ts';

/** Public key: 33 bytes with 0x05 first; private key: 32 bytes. */
export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
}

/** Our own device; the key pair is its identity key. */
export interface OwnDevice extends KeyPair {
  readonly deviceId: number;
  /** Number of the next prekey to make. */
  readonly nextKeyId: number;
}

export interface PreKey extends KeyPair {
  readonly id: number;
  /** When a first message used it up; null while it is on offer. */
  readonly usedAtMs: number | null;
}

export interface SignedPreKey extends KeyPair {
  readonly id: number;
  readonly signature: Uint8Array;
  readonly createdAtMs: number;
}

/** Everything one operation changed; kept whole or not at all. */
export interface OmemoChanges {
  readonly own: OwnDevice | null;
  readonly preKeys: readonly PreKey[];
  readonly removedPreKeys: readonly number[];
  readonly signedPreKeys: readonly SignedPreKey[];
  readonly removedSignedPreKeys: readonly number[];
  readonly sessions: readonly { readonly address: DeviceAddress; readonly record: string }[];
  readonly identities: readonly {
    readonly address: DeviceAddress;
    readonly identityKey: Uint8Array;
    readonly seenMs: number;
  }[];
}

/** Where keys and sessions are kept. Synchronous, so that `apply` can be part of the owner's transaction. */
export interface OmemoStore {
  own(): OwnDevice | undefined;
  preKeys(): readonly PreKey[];
  preKey(id: number): PreKey | undefined;
  signedPreKeys(): readonly SignedPreKey[];
  signedPreKey(id: number): SignedPreKey | undefined;
  session(address: DeviceAddress): string | undefined;
  /** The identity key remembered for a device. */
  identityKey(address: DeviceAddress): Uint8Array | undefined;
  apply(changes: OmemoChanges): void;
}

export const NO_CHANGES: OmemoChanges = {
  own: null,
  preKeys: [],
  removedPreKeys: [],
  signedPreKeys: [],
  removedSignedPreKeys: [],
  sessions: [],
  identities: [],
};
