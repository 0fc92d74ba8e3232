import { createHash } from 'node:crypto';
import type { Storage } from '../storage/storage.ts';
import type { IncomingMessage } from './incoming-message.ts';

interface KnownMessagesDeps {
  readonly storage: Pick<Storage, 'seen'>;
  /** Of this device. */
  readonly deviceId: () => number;
  readonly nowMs: () => number;
}

/** Which messages were dealt with already, whatever a server does to the ids around them. */
export class KnownMessages {
  readonly #deps: KnownMessagesDeps;

  constructor(deps: KnownMessagesDeps) {
    this.#deps = deps;
  }

  has(message: IncomingMessage): boolean {
    return this.#isKnownId(message) || this.#firstMs(message) !== undefined;
  }

  /** Within a transaction. */
  add(message: IncomingMessage): void {
    const { seen } = this.#deps.storage;
    const nowMs = this.#deps.nowMs();
    if (message.archiveId !== null) seen.add(scopeOf(message), message.archiveId, nowMs);
    const hash = this.#keyHash(message);
    if (hash !== undefined) seen.add('key', hash, nowMs);
  }

  /** When the very same came first; undefined unless it came before, and under an id of the archive that is not known. */
  firstMsOfCopy(message: IncomingMessage): number | undefined {
    return this.#isKnownId(message) ? undefined : this.#firstMs(message);
  }

  #isKnownId(message: IncomingMessage): boolean {
    return message.archiveId !== null && this.#deps.storage.seen.has(scopeOf(message), message.archiveId);
  }

  #firstMs(message: IncomingMessage): number | undefined {
    const hash = this.#keyHash(message);
    return hash === undefined ? undefined : this.#deps.storage.seen.atMs('key', hash);
  }

  /** A key element is never made twice. A copy that another member sends as her own stands for nothing: it must not hide
   * the one it was copied from. */
  #keyHash({ omemo, from }: IncomingMessage): string | undefined {
    const deviceId = this.#deps.deviceId();
    const key = omemo?.keys.find((element) => element.deviceId === deviceId);
    if (omemo === null || key === undefined) return undefined;
    return createHash('sha256').update(`${from}\0${omemo.senderDeviceId}\0`).update(key.data).digest('hex');
  }
}

function scopeOf(message: IncomingMessage): string {
  return message.room ?? 'direct';
}
