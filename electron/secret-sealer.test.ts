import { expect, test } from 'vitest';
import { secretSealer } from './secret-sealer.ts';

type SafeStorage = Parameters<typeof secretSealer>[0]['safeStorage'];

function storage(backend: ReturnType<SafeStorage['getSelectedStorageBackend']>, isAvailable = true): SafeStorage {
  return {
    getSelectedStorageBackend: () => backend,
    isAsyncEncryptionAvailable: async () => isAvailable,
    encryptStringAsync: async (text) => Buffer.from(`sealed ${text}`),
    decryptStringAsync: async (sealed) => {
      const text = sealed.toString();
      if (!text.startsWith('sealed ')) throw new Error('Error while decrypting the ciphertext');
      return { shouldReEncrypt: false, result: text.slice('sealed '.length) };
    },
  };
}

test('what was sealed can be opened again', async () => {
  const sealer = secretSealer({ safeStorage: storage('gnome_libsecret'), platform: 'linux' });
  const sealed = await sealer.seal('secret');
  expect(sealed).not.toContain('secret');
  expect(await sealer.unseal(sealed ?? '')).toBe('secret');
});

test('a desktop without a password manager keeps no secrets', async () => {
  for (const backend of ['basic_text', 'unknown'] as const) {
    const sealer = secretSealer({ safeStorage: storage(backend), platform: 'linux' });
    expect(await sealer.seal('secret')).toBeNull();
  }
  const locked = secretSealer({ safeStorage: storage('kwallet6', false), platform: 'linux' });
  expect(await locked.seal('secret')).toBeNull();
});

test('what was sealed elsewhere gives nothing', async () => {
  const sealer = secretSealer({ safeStorage: storage('unknown'), platform: 'darwin' });
  expect(await sealer.unseal(Buffer.from('foreign').toString('base64'))).toBeNull();
});
