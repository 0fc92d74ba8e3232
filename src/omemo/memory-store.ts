import type { OmemoChanges, OmemoStore, OwnDevice, PreKey, SignedPreKey } from './store.ts';
import type { DeviceAddress } from './types.ts';

/** A store without a disk: for the self-test and for tests. */
export class MemoryOmemoStore implements OmemoStore {
  #own: OwnDevice | undefined;
  readonly #preKeys = new Map<number, PreKey>();
  readonly #signedPreKeys = new Map<number, SignedPreKey>();
  readonly #sessions = new Map<string, string>();
  readonly #identities = new Map<string, Uint8Array>();

  own(): OwnDevice | undefined {
    return this.#own;
  }

  preKeys(): readonly PreKey[] {
    return Array.from(this.#preKeys.values());
  }

  preKey(id: number): PreKey | undefined {
    return this.#preKeys.get(id);
  }

  signedPreKeys(): readonly SignedPreKey[] {
    return Array.from(this.#signedPreKeys.values());
  }

  signedPreKey(id: number): SignedPreKey | undefined {
    return this.#signedPreKeys.get(id);
  }

  session(address: DeviceAddress): string | undefined {
    return this.#sessions.get(addressKey(address));
  }

  identityKey(address: DeviceAddress): Uint8Array | undefined {
    return this.#identities.get(addressKey(address));
  }

  apply(changes: OmemoChanges): void {
    if (changes.own !== null) this.#own = changes.own;
    for (const key of changes.preKeys) this.#preKeys.set(key.id, key);
    for (const id of changes.removedPreKeys) this.#preKeys.delete(id);
    for (const key of changes.signedPreKeys) this.#signedPreKeys.set(key.id, key);
    for (const id of changes.removedSignedPreKeys) this.#signedPreKeys.delete(id);
    for (const { address, record } of changes.sessions) this.#sessions.set(addressKey(address), record);
    for (const { address, identityKey } of changes.identities) this.#identities.set(addressKey(address), identityKey);
  }
}

function addressKey(address: DeviceAddress): string {
  return `${address.jid} ${address.deviceId}`;
}
