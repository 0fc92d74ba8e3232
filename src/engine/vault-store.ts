import type { VaultStore } from '../spheres/vault.ts';
import type { XmppPort } from '../xmpp/port.ts';
import { fetchVaultChunk, publishVaultChunk } from '../xmpp/vault-nodes.ts';

/** The account's own nodes at its server, which nobody else can read. */
export function vaultStoreOf(client: XmppPort): VaultStore {
  return {
    get: (slot, index, signal) => fetchVaultChunk(client, slot, index, signal),
    put: (at, bytes, signal) => publishVaultChunk(client, at, bytes, signal),
  };
}
