import { readFile } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { fromHex, toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { RandomBytes } from '../base/random.ts';
import { untilAborted } from '../base/until-aborted.ts';
import { withinTime } from '../base/within-time.ts';
import { writeFileAtomically } from './atomic-file.ts';

const KEY_BYTES = 32;
const ANSWER_MS = 5000;

/** A place of the platform that keeps one secret. It rejects when there is no such place here. */
export interface SecretStore {
  /** Noted in the profile, so that the key is looked for where it was left. */
  readonly name: string;
  get(signal: AbortSignal): Promise<Uint8Array | null>;
  set(secret: Uint8Array, signal: AbortSignal): Promise<void>;
}

export interface MasterKey {
  readonly key: Uint8Array;
  /** `file`: no keychain answered, whoever reads the profile can read the key. The UI says so. */
  readonly keptIn: 'keychain' | 'file';
  /** Made by this start: the moment to tell the person where it is kept. */
  readonly isNew: boolean;
}

const noteSchema = z.object({ keptIn: z.string() });

/**
 * The profile's 32-byte master key, made at the first start. It stays where it was first put: a
 * keychain that does not answer later is `secrets-unavailable`, never a reason for a new key.
 */
export async function openMasterKey(
  deps: { folder: string; stores: readonly SecretStore[]; random: RandomBytes; clock: Clock },
  signal: AbortSignal,
): Promise<MasterKey> {
  const noteFile = path.join(deps.folder, 'secret.json');
  const stores = [...deps.stores.map((store) => timeBoxed(store, deps.clock)), fileStore(deps.folder)];
  const note = await readNote(noteFile);
  if (note !== undefined) return readKept(stores, note.keptIn, signal);

  for (const store of stores) {
    const key = await tryStore(store, deps.random(KEY_BYTES), signal);
    if (key === undefined) continue;
    await writeFileAtomically(noteFile, JSON.stringify({ keptIn: store.name }));
    return { key, keptIn: keptIn(store.name), isNew: true };
  }
  throw new AppError('secrets-unavailable', 'the key of this profile can be stored nowhere');
}

async function readKept(stores: readonly SecretStore[], name: string, signal: AbortSignal): Promise<MasterKey> {
  const store = stores.find((candidate) => candidate.name === name);
  if (store === undefined)
    throw new AppError('secrets-unavailable', 'the keychain of this profile is not here', { name });
  let key: Uint8Array | null;
  try {
    key = await store.get(signal);
  } catch (error) {
    throw new AppError('secrets-unavailable', 'the keychain does not answer', { name }, error);
  }
  if (key?.length !== KEY_BYTES) throw new AppError('secrets-unavailable', 'the key of this profile is gone', { name });
  return { key, keptIn: keptIn(name), isNew: false };
}

/** Stores the fresh key and proves that it can be read back; a key left there by an unfinished start is used. */
async function tryStore(store: SecretStore, fresh: Uint8Array, signal: AbortSignal): Promise<Uint8Array | undefined> {
  try {
    const old = await store.get(signal);
    if (old?.length === KEY_BYTES) return old;
    await store.set(fresh, signal);
    const readBack = await store.get(signal);
    return readBack !== null && Buffer.from(readBack).equals(fresh) ? fresh : undefined;
  } catch {
    // No such store on this machine: the next one is tried, the file is the last.
    signal.throwIfAborted();
    return undefined;
  }
}

function keptIn(name: string): MasterKey['keptIn'] {
  return name === 'file' ? 'file' : 'keychain';
}

async function readNote(file: string): Promise<z.infer<typeof noteSchema> | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new AppError('secrets-unavailable', 'the profile cannot be read', {}, error);
  }
  try {
    return noteSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new AppError('secrets-unavailable', 'the note about the key is damaged', {}, error);
  }
}

function fileStore(folder: string): SecretStore {
  const file = path.join(folder, 'secret.key');
  return {
    name: 'file',
    async get() {
      try {
        return fromHex((await readFile(file, 'utf8')).trim()) ?? null;
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
        throw error;
      }
    },
    set: (secret) => writeFileAtomically(file, `${toHex(secret)}\n`),
  };
}

/** A locked keychain may ask the person or wait for ever; the start of the engine does not. */
function timeBoxed(store: SecretStore, clock: Clock): SecretStore {
  const limit = { clock, ms: ANSWER_MS };
  return {
    name: store.name,
    get: (signal) => withinTime(limit, signal, (limited) => Promise.race([store.get(limited), untilAborted(limited)])),
    set: (secret, signal) =>
      withinTime(limit, signal, (limited) => Promise.race([store.set(secret, limited), untilAborted(limited)])),
  };
}
