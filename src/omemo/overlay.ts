import { equalBytes } from '../base/bytes.ts';
import type { BareJid } from '../base/id.ts';
import type { SignalKeyPair, SignalStorage } from './signal-types.ts';
import { toBuffer } from './signal-types.ts';
import type { KeyPair, OmemoChanges, OmemoStore, OwnDevice } from './store.ts';
import { NO_CHANGES } from './store.ts';
import type { DeviceAddress, IdentityStanding } from './types.ts';

/**
 * What one operation sees: the store, and over it everything the operation changed so far. It is either handed
 * to the owner's transaction whole (`changes`) or thrown away.
 */
export class Overlay implements SignalStorage {
  readonly #store: OmemoStore;
  readonly #own: OwnDevice;
  readonly #nowMs: number;
  /** What the store had when it was first asked. */
  readonly #asked = new Map<string, { readonly address: DeviceAddress; readonly record: string | undefined }>();
  readonly #sessions = new Map<string, { readonly address: DeviceAddress; readonly record: string | undefined }>();
  readonly #identities = new Map<string, { readonly address: DeviceAddress; readonly identityKey: Uint8Array }>();
  readonly #usedPreKeys = new Set<number>();
  #missedPreKey = false;

  constructor(deps: { store: OmemoStore; own: OwnDevice; nowMs: number }) {
    this.#store = deps.store;
    this.#own = deps.own;
    this.#nowMs = deps.nowMs;
  }

  /** True when the library asked for a prekey that is gone: the message cannot be read, but nobody forged it. */
  get missedPreKey(): boolean {
    return this.#missedPreKey;
  }

  /** True when a session that was asked for is not what it was: its change was lost before it came to the disk. */
  get isStale(): boolean {
    return [...this.#asked.values()].some(({ address, record }) => this.#store.session(address) !== record);
  }

  get usedPreKey(): boolean {
    return this.#usedPreKeys.size > 0;
  }

  session(address: DeviceAddress): string | undefined {
    const name = encode(address);
    const changed = this.#sessions.get(name);
    if (changed !== undefined) return changed.record;
    const asked = this.#asked.get(name) ?? { address, record: this.#store.session(address) };
    this.#asked.set(name, asked);
    return asked.record;
  }

  setSession(address: DeviceAddress, record: string | undefined): void {
    this.#sessions.set(encode(address), { address, record });
  }

  standing(address: DeviceAddress, identityKey: Uint8Array): IdentityStanding {
    const known = this.#identities.get(encode(address))?.identityKey ?? this.#store.identityKey(address);
    return standingOf(known, identityKey);
  }

  setIdentityKey(address: DeviceAddress, identityKey: Uint8Array): void {
    this.#identities.set(encode(address), { address, identityKey });
  }

  changes(): OmemoChanges {
    const preKeys = Array.from(this.#usedPreKeys, (id) => this.#store.preKey(id))
      .filter((preKey) => preKey !== undefined)
      .map((preKey) => ({ ...preKey, usedAtMs: preKey.usedAtMs ?? this.#nowMs }));
    const sessions = Array.from(this.#sessions.values()).flatMap(({ address, record }) =>
      record === undefined ? [] : [{ address, record }],
    );
    const identities = Array.from(this.#identities.values(), (known) => ({ ...known, seenMs: this.#nowMs }));
    return { ...NO_CHANGES, preKeys, sessions, identities };
  }

  getIdentityKeyPair(): Promise<SignalKeyPair> {
    return Promise.resolve(toSignal(this.#own));
  }

  getLocalRegistrationId(): Promise<number> {
    return Promise.resolve(this.#own.deviceId);
  }

  /** The library asks by name, without the device, and does not always wait for the answer: we compare ourselves. */
  isTrustedIdentity(): Promise<boolean> {
    return Promise.resolve(true);
  }

  saveIdentity(): Promise<boolean> {
    return Promise.resolve(false);
  }

  loadPreKey(id: string | number): Promise<SignalKeyPair | undefined> {
    // The number is absent, or 0, in a first message that used no one-time prekey.
    if (!(Number(id) > 0)) return Promise.resolve(undefined);
    const preKey = this.#store.preKey(Number(id));
    if (preKey === undefined) this.#missedPreKey = true;
    return Promise.resolve(preKey === undefined ? undefined : toSignal(preKey));
  }

  storePreKey(): Promise<void> {
    return Promise.reject(new Error('prekeys are made by their owner'));
  }

  removePreKey(id: string | number): Promise<void> {
    this.#usedPreKeys.add(Number(id));
    return Promise.resolve();
  }

  loadSignedPreKey(id: string | number): Promise<SignalKeyPair | undefined> {
    const preKey = this.#store.signedPreKey(Number(id));
    return Promise.resolve(preKey === undefined ? undefined : toSignal(preKey));
  }

  storeSignedPreKey(): Promise<void> {
    return Promise.reject(new Error('prekeys are made by their owner'));
  }

  removeSignedPreKey(): Promise<void> {
    return Promise.reject(new Error('prekeys are removed by their owner'));
  }

  loadSession(encoded: string): Promise<string | undefined> {
    return Promise.resolve(this.session(decode(encoded)));
  }

  storeSession(encoded: string, record: string): Promise<void> {
    this.setSession(decode(encoded), record);
    return Promise.resolve();
  }
}

/** How an identity key of a device stands to the one that is remembered for it. */
export function standingOf(known: Uint8Array | undefined, identityKey: Uint8Array): IdentityStanding {
  if (known === undefined) return 'new';
  return equalBytes(known, identityKey) ? 'same' : 'changed';
}

function encode(address: DeviceAddress): string {
  return `${address.jid}.${address.deviceId}`;
}

/** The library's own parser splits at the first dot, which addresses are full of. */
function decode(encoded: string): DeviceAddress {
  const dot = encoded.lastIndexOf('.');
  return { jid: encoded.slice(0, dot) as BareJid, deviceId: Number(encoded.slice(dot + 1)) };
}

function toSignal(pair: KeyPair): SignalKeyPair {
  return { pubKey: toBuffer(pair.publicKey), privKey: toBuffer(pair.privateKey) };
}
