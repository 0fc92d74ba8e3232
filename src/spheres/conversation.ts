import { toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { EventId, SphereId } from '../base/id.ts';
import type { MessageRow } from '../storage/message-table.ts';
import type { Storage } from '../storage/storage.ts';
import { attachment, encodeEnvelope, entryOf } from './protocol/envelope.ts';
import { sha256Hex } from './protocol/keys.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

/** Fits into a stanza beside the keys for as many devices as a sphere may have. */
const MAX_TEXT_BYTES = 8 * 1024;

/** Says things in spheres. */
export class Conversation {
  readonly #list: SphereList;
  readonly #storage: Storage;

  constructor(deps: { list: SphereList; storage: Storage }) {
    this.#list = deps.list;
    this.#storage = deps.storage;
  }

  /** Keeps the message and queues it; what it says goes out whenever the server can be reached. */
  say(sphereId: SphereId, text: string): EventId {
    const sphere = this.#list.getJoined(sphereId);
    const bytes = toUtf8(text);
    if (bytes.length > MAX_TEXT_BYTES) {
      throw new AppError('too-large', 'the message is too long', { bytes: bytes.length, maxBytes: MAX_TEXT_BYTES });
    }
    const body = { textSha256: sha256Hex(bytes), replyTo: null };
    const kept = [attachment('text', bytes)];
    return this.#list.publish(sphere, 'message', body, { audience: { kind: 'members' }, kept, line: text }).id;
  }

  /** Queues a line of ours again that could not be sent. */
  retry(sphereId: SphereId, id: EventId): void {
    const { sphere, failure } = this.#failed(sphereId, id);
    const { messages, outbox } = this.#storage;
    // Whoever is removed, or lost the right to say it, would only be refused once more.
    if (sphere.log.verdict(id)?.kind !== 'accepted') throw new AppError(failure ?? 'not-allowed', 'it does not count');
    this.#list.getJoined(sphereId);
    this.#storage.transaction(() => {
      for (const row of outbox.byEvent(id)) outbox.update(row.id, { state: 'queued', attempts: 0 });
      messages.update(id, { state: 'queued', failure: null });
    });
    this.#list.announce(sphere, [{ kind: 'message', id }]);
  }

  /** Forgets a text of ours that could not be sent. Its event goes out bare, so that what follows it has no gap. */
  remove(sphereId: SphereId, id: EventId): void {
    const { sphere, kind } = this.#failed(sphereId, id);
    if (kind !== 'text') throw new AppError('not-allowed', 'only what was written is taken back');
    const { messages, outbox, attachments } = this.#storage;
    const event = sphere.log.get(id);
    this.#storage.transaction(() => {
      messages.remove(id);
      attachments.remove(id, 'text');
      for (const row of outbox.byEvent(id)) outbox.remove(row.id);
      if (event === undefined || sphere.log.verdict(id)?.kind !== 'accepted') return;
      const audience = { kind: 'members' } as const;
      sphere.enqueueEnvelope(id, encodeEnvelope([entryOf(event)]), sphere.row.room, { audience });
    });
    this.#list.announce(sphere, [{ kind: 'message-gone', id }]);
  }

  #failed(sphereId: SphereId, id: EventId): MessageRow & { readonly sphere: Sphere } {
    const sphere = this.#list.get(sphereId);
    const row = this.#storage.messages.get(id);
    if (row?.sphereId !== sphereId || row.state !== 'failed') throw new AppError('not-found', 'no such failed line');
    return { ...row, sphere };
  }
}
