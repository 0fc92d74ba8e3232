import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import { systemRandom } from '../base/random.ts';
import { systemClock } from '../base/system-clock.ts';
import type { SecretStore } from './secrets.ts';
import { openMasterKey } from './secrets.ts';

const { signal } = new AbortController();
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'spherecast-secrets-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (stores: SecretStore[], clock = systemClock) =>
  openMasterKey({ folder, stores, random: systemRandom, clock }, signal);

class MemoryKeychain implements SecretStore {
  readonly name = 'keychain';
  secret: Uint8Array | null = null;
  broken = false;

  async get(): Promise<Uint8Array | null> {
    if (this.broken) throw new Error('locked');
    return this.secret;
  }

  async set(secret: Uint8Array): Promise<void> {
    if (this.broken) throw new Error('locked');
    this.secret = secret;
  }
}

test('a keychain that answers keeps the key and the profile holds nothing of it', async () => {
  const keychain = new MemoryKeychain();
  const first = await open([keychain]);
  expect(first).toEqual({ key: keychain.secret, keptIn: 'keychain', isNew: true });
  expect(existsSync(path.join(folder, 'secret.key'))).toBe(false);
  expect(readFileSync(path.join(folder, 'secret.json'), 'utf8')).toBe('{"keptIn":"keychain"}');
  expect(await open([keychain])).toEqual({ ...first, isNew: false });
});

test('without a keychain the key lies in a private file, and the answer says so', async () => {
  const keychain = new MemoryKeychain();
  keychain.broken = true;
  const first = await open([keychain]);
  expect(first.keptIn).toBe('file');
  expect(statSync(path.join(folder, 'secret.key')).mode & 0o777).toBe(0o600);
  keychain.broken = false;
  expect(await open([keychain])).toEqual({ ...first, isNew: false });
});

test('a keychain that does not answer any more is an error, never a new key', async () => {
  const keychain = new MemoryKeychain();
  await open([keychain]);
  keychain.broken = true;
  await expect(open([keychain])).rejects.toMatchObject({ code: 'secrets-unavailable' });
  await expect(open([])).rejects.toMatchObject({ code: 'secrets-unavailable' });
  keychain.broken = false;
  keychain.secret = null;
  await expect(open([keychain])).rejects.toMatchObject({ code: 'secrets-unavailable' });
});

test('a lost or damaged key file is an error, never a new key', async () => {
  await open([]);
  rmSync(path.join(folder, 'secret.key'));
  await expect(open([])).rejects.toMatchObject({ code: 'secrets-unavailable' });
});

test('a keychain that never answers delays the start by five seconds at most', async () => {
  const clock = new VirtualClock();
  const silent: SecretStore = { name: 'keychain', get: () => new Promise(() => undefined), set: async () => undefined };
  const asked = Promise.withResolvers<void>();
  const get = silent.get.bind(silent);
  const opening = open([{ ...silent, get: (limit) => (asked.resolve(), get(limit)) }], clock);
  await asked.promise;
  await clock.advance(5000);
  expect((await opening).keptIn).toBe('file');
});
