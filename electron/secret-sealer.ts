import type { SafeStorage } from 'electron';

/** Seals text so that only this user of this computer can open it again; null when the system offers no such thing. */
export interface SecretSealer {
  seal(text: string): Promise<string | null>;
  /** null also when it was sealed elsewhere. */
  unseal(sealed: string): Promise<string | null>;
}

interface SealerDeps {
  readonly safeStorage: Pick<
    SafeStorage,
    'isAsyncEncryptionAvailable' | 'encryptStringAsync' | 'decryptStringAsync' | 'getSelectedStorageBackend'
  >;
  readonly platform: string;
}

/** Sealing by Electron's safeStorage: the keychain of macOS and Linux desktops, DPAPI on Windows. */
export function secretSealer({ safeStorage, platform }: SealerDeps): SecretSealer {
  const isSafe = async (): Promise<boolean> => {
    // Without a password manager Chromium takes a key that is written in its own source code.
    if (platform === 'linux' && ['basic_text', 'unknown'].includes(safeStorage.getSelectedStorageBackend()))
      return false;
    return safeStorage.isAsyncEncryptionAvailable();
  };
  const orNull = async (work: () => Promise<string>): Promise<string | null> => {
    try {
      return (await isSafe()) ? await work() : null;
    } catch {
      // Locked or refused: the engine goes on to the next store, or says that the keychain does not answer.
      return null;
    }
  };
  return {
    seal: (text) => orNull(async () => (await safeStorage.encryptStringAsync(text)).toString('base64')),
    unseal: (sealed) =>
      orNull(async () => (await safeStorage.decryptStringAsync(Buffer.from(sealed, 'base64'))).result),
  };
}
