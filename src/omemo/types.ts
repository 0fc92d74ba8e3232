import type { BareJid } from '../base/id.ts';

/** One OMEMO device of one account. */
export interface DeviceAddress {
  readonly jid: BareJid;
  readonly deviceId: number;
}

/** The key of the message, encrypted for one device. */
export interface OmemoKeyElement {
  readonly deviceId: number;
  readonly preKey: boolean;
  readonly data: Uint8Array;
}

/** The `encrypted` element of XEP-0384 0.3 as a record. */
export interface OmemoMessage {
  readonly senderDeviceId: number;
  readonly keys: readonly OmemoKeyElement[];
  readonly iv: Uint8Array;
  /** null for a message that only carries a key. */
  readonly payload: Uint8Array | null;
}

export interface PublicPreKey {
  readonly id: number;
  /** 33 bytes, the first is 0x05. */
  readonly publicKey: Uint8Array;
}

/** What a device publishes so that others can start a session with it. All keys have 33 bytes, the first is 0x05. */
export interface OmemoBundle {
  readonly identityKey: Uint8Array;
  readonly signedPreKey: PublicPreKey & { readonly signature: Uint8Array };
  readonly preKeys: readonly PublicPreKey[];
}

/** How an identity key compares with the one remembered for the device. */
export type IdentityStanding = 'same' | 'new' | 'changed';

/** Decides about a device by the key its session has; the default refuses a changed key only. */
export type TrustDecision = (address: DeviceAddress, identityKey: Uint8Array, standing: IdentityStanding) => boolean;
