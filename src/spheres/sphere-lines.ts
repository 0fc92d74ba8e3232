import type { BareJid, EventId } from '../base/id.ts';
import type { MessageRow } from '../storage/message-table.ts';
import type { Storage } from '../storage/storage.ts';
import { isTakenBack } from './is-taken-back.ts';
import type { SignedEvent } from './protocol/event.ts';
import type { HoldReason, RefusalReason } from './protocol/verdict.ts';
import type { Sphere } from './sphere.ts';

type LineChange = { readonly kind: 'message' | 'message-gone'; readonly id: EventId };

/** The lines of a conversation that stand for events of its sphere. */
export class SphereLines {
  readonly #sphere: Sphere;
  readonly #storage: Pick<Storage, 'messages' | 'outbox'>;
  readonly #own: BareJid;

  constructor(deps: { sphere: Sphere; storage: Pick<Storage, 'messages' | 'outbox'>; own: BareJid }) {
    this.#sphere = deps.sphere;
    this.#storage = deps.storage;
    this.#own = deps.own;
  }

  put(
    event: SignedEvent,
    line: Pick<MessageRow, 'kind' | 'text' | 'itemId' | 'replyTo'>,
    isToldAgain: boolean,
  ): LineChange[] {
    const { messages } = this.#storage;
    const { person, log } = this.#sphere;
    const { annotations } = log;
    const { id, header } = event;
    // The first event of a sphere is told to nobody: there is nobody yet.
    const isOwn = header.device === this.#sphere.device && event.type !== 'genesis';
    const row = {
      id,
      sphereId: this.#sphere.id,
      from: this.#sphere.jidOf(header.person) ?? this.#own,
      ...line,
      atMs: header.wallMs,
      lamport: header.lamport,
      state: isOwn ? ('queued' as const) : ('received' as const),
      failure: null,
      encrypted: true,
      read: header.person === person || line.kind === 'notice' || annotations.isReadBy(person, event),
    };
    if (messages.add(row, isToldAgain) !== undefined) return [{ kind: 'message', id }];
    const known = messages.get(id);
    if (known?.state === 'undecryptable') messages.update(id, row);
    else if (known !== undefined && isTakenBack(known)) this.#restore(id);
    else return [];
    return [{ kind: 'message', id }];
  }

  /** The event is in force no longer. */
  undo({ id, header }: SignedEvent, reason: RefusalReason | HoldReason): LineChange[] {
    const { messages, outbox } = this.#storage;
    const row = messages.get(id);
    if (row === undefined || row.state === 'undecryptable') return [];
    if (header.device !== this.#sphere.device || row.kind === 'notice') {
      messages.remove(id);
      return [{ kind: 'message-gone', id }];
    }
    // What one wrote oneself is never lost; it is told that the others do not see it.
    for (const entry of outbox.byEvent(id)) outbox.update(entry.id, { state: 'failed' });
    const failure = reason === 'removed' || reason === 'not-a-member' ? 'not-a-member' : 'not-allowed';
    messages.update(id, { state: 'failed', failure });
    return [{ kind: 'message', id }];
  }

  #restore(id: EventId): void {
    const { messages, outbox } = this.#storage;
    const entries = outbox.byEvent(id);
    for (const entry of entries) outbox.update(entry.id, { state: 'queued' });
    messages.update(id, { state: entries.length > 0 ? 'queued' : 'sent', failure: null });
  }
}
