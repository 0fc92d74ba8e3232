import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fromBase64, toBase64 } from '../src/base/bytes.ts';
import { AppError } from '../src/base/errors.ts';
import { writeFileAtomically } from '../src/engine/atomic-file.ts';
import type { SecretStore } from '../src/engine/secrets.ts';
import type { FromEngine } from './engine-messages.ts';

/** Asks the main process to seal and unseal, which alone reaches the system's key store. */
export class ShellSecrets {
  readonly #post: (message: FromEngine) => void;
  readonly #questions = new Map<number, (text: string | null) => void>();
  #nextId = 0;

  constructor(deps: { post: (message: FromEngine) => void }) {
    this.#post = deps.post;
  }

  answered(id: number, text: string | null): void {
    this.#questions.get(id)?.(text);
    this.#questions.delete(id);
  }

  /** A store that keeps the sealed secret in a file of the folder. */
  storeIn(folder: string): SecretStore {
    const file = path.join(folder, 'secret.sealed');
    return {
      name: 'safe-storage',
      get: async (signal) => {
        const sealed = await readIfThere(file);
        return sealed === null ? null : (fromBase64(await this.#ask('unseal', sealed, signal)) ?? null);
      },
      set: async (secret, signal) => {
        await writeFileAtomically(file, await this.#ask('seal', toBase64(secret), signal));
      },
    };
  }

  async #ask(kind: 'seal' | 'unseal', text: string, signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const id = this.#nextId;
    this.#nextId += 1;
    const { promise, resolve, reject } = Promise.withResolvers<string | null>();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#questions.set(id, resolve);
    this.#post({ kind, id, text });
    try {
      const answer = await promise;
      if (answer === null) throw new AppError('secrets-unavailable', 'the system keeps no secrets here');
      return answer;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#questions.delete(id);
    }
  }
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
