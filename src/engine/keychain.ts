import { createHash } from 'node:crypto';
import { fromBase64, toBase64 } from '../base/bytes.ts';
import type { SecretStore } from './secrets.ts';

const SERVICE = 'org.spherecast';

/** The desktop's keychain: Secret Service, macOS Keychain or Windows Credential Manager. */
export function desktopKeychain(profileFolder: string): SecretStore {
  // Profiles on one machine have keys of their own; the account name does not show the path.
  const account = `profile-${createHash('sha256').update(profileFolder).digest('hex').slice(0, 16)}`;
  const entry = async () => {
    const { AsyncEntry } = await import('@napi-rs/keyring');
    // The library falls back to the kernel keyring, which forgets everything at a reboot: never use that.
    return new AsyncEntry(SERVICE, account, { linux: { store: 'secret-service' } });
  };
  return {
    name: 'keychain',
    async get(signal) {
      const text = await (await entry()).getPassword(signal);
      return text === null ? null : (fromBase64(text) ?? null);
    },
    async set(secret, signal) {
      await (await entry()).setPassword(toBase64(secret), signal);
    },
  };
}
