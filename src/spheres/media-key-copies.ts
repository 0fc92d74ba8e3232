import { concatBytes, equalBytes } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { EventId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import type { EpochSecrets } from './protocol/epoch.ts';
import type { ItemEvent } from './protocol/event.ts';
import { unwrapMediaKey, WRAPPED_KEY_BYTES } from './protocol/media-key.ts';

/** Whoever made up one copy can make up many, and what was lost by them is asked for again. */
const MAX_COPIES = 4;
const KIND = 'media-key';

/**
 * The wrapped key of an item, as it came from whoever sent it. Which copy is the right one only unwrapping tells: as long
 * as the key of the epoch is not here, a few are kept, one behind the other.
 */
export class MediaKeyCopies {
  readonly #attachments: Storage['attachments'];
  readonly #event: ItemEvent;
  readonly #epoch: EpochSecrets | undefined;

  /** `epoch`: of the one that the item names; undefined as long as its key is not here. */
  constructor(deps: {
    readonly storage: Pick<Storage, 'attachments'>;
    readonly event: ItemEvent;
    readonly epoch: EpochSecrets | undefined;
  }) {
    this.#attachments = deps.storage.attachments;
    this.#event = deps.event;
    this.#epoch = deps.epoch;
  }

  /** A copy that opens takes the place of all that do not, and is never lost to one that came later. */
  keep(copy: Uint8Array): void {
    const all = this.#all();
    if (all.some((known) => equalBytes(known, copy))) return;
    const good = [...all, copy].find((one) => this.#opened(one) !== undefined);
    if (good !== undefined) this.#put(good);
    else if (this.#epoch === undefined && all.length < MAX_COPIES) this.#put(concatBytes(...all, copy));
  }

  /** The key of the item; undefined as long as no copy opens. */
  open(): Uint8Array | undefined {
    for (const copy of this.#all()) {
      const opened = this.#opened(copy);
      if (opened !== undefined) return opened;
    }
    return undefined;
  }

  /** What others may be given: never a copy that is known not to open. */
  list(): readonly Uint8Array[] {
    const all = this.#all();
    if (this.#epoch === undefined) return all;
    return all.filter((copy) => this.#opened(copy) !== undefined).slice(0, 1);
  }

  #all(): Uint8Array[] {
    const kept = this.#attachments.get(this.#id, KIND) ?? new Uint8Array();
    const count = Math.floor(kept.length / WRAPPED_KEY_BYTES);
    return Array.from({ length: count }, (_, index) =>
      kept.subarray(index * WRAPPED_KEY_BYTES, (index + 1) * WRAPPED_KEY_BYTES),
    );
  }

  #put(bytes: Uint8Array): void {
    this.#attachments.put({ eventId: this.#id, kind: KIND, bytes });
  }

  #opened(copy: Uint8Array): Uint8Array | undefined {
    const { infoHash, keyCheck } = this.#event.body;
    if (this.#epoch === undefined || keyCheck === null) return undefined;
    try {
      return unwrapMediaKey({ epoch: this.#epoch, infoHash, keyCheck }, copy);
    } catch (error) {
      if (error instanceof AppError) return undefined;
      throw error;
    }
  }

  get #id(): EventId {
    return this.#event.id;
  }
}
