import type { Storage } from '../storage/storage.ts';
import type { Attachment, AttachmentKind } from './protocol/envelope.ts';
import { ATTACHMENT_KINDS, MAX_ATTACHMENTS } from './protocol/envelope.ts';
import type { SignedEvent } from './protocol/event.ts';

/** With the longest event they still fit into a stanza. */
const MAX_BYTES = 32 * 1024;

/**
 * What is kept beside an event for later versions alone. Nothing in the event tells what belongs there, so whoever sent
 * it may have made it up: it is bounded, and what came first stays.
 */
export class UnjudgedAttachments {
  readonly #attachments: Storage['attachments'];
  readonly #event: SignedEvent;

  constructor(deps: { readonly storage: Pick<Storage, 'attachments'>; readonly event: SignedEvent }) {
    this.#attachments = deps.storage.attachments;
    this.#event = deps.event;
  }

  keep(fresh: readonly Attachment[]): void {
    if (fresh.length === 0) return;
    const kept = this.#all();
    for (const one of bounded([...kept, ...fresh], MAX_ATTACHMENTS)) {
      if (kept.includes(one)) continue;
      this.#attachments.put({ eventId: this.#event.id, kind: one.kind ?? String(one.code), bytes: one.bytes });
    }
  }

  /** Of what is kept, and may be more than is kept now, what may be passed on in `room` places. */
  list(room: number): readonly Attachment[] {
    return bounded(this.#all(), room);
  }

  #all(): Attachment[] {
    const all = this.#attachments.list(this.#event.id).map(({ kind, bytes }) => readRow(kind, bytes));
    return all.filter(({ kind }) => kind !== 'invite-secret' && isUnjudged(this.#event, kind));
  }
}

/** Whether this version knows neither the kind nor, beside an event that it does not know, whether it belongs there. */
export function isUnjudged(event: SignedEvent, kind: AttachmentKind | null): boolean {
  return kind === null || event.type === 'unknown';
}

function bounded(all: readonly Attachment[], room: number): Attachment[] {
  const codes = new Set<number>();
  let bytes = 0;
  return all.filter((one) => {
    const isLeft = codes.has(one.code) || codes.size >= room || bytes + one.bytes.length > MAX_BYTES;
    if (isLeft) return false;
    codes.add(one.code);
    bytes += one.bytes.length;
    return true;
  });
}

function readRow(name: string, bytes: Uint8Array): Attachment {
  if (!Object.hasOwn(ATTACHMENT_KINDS, name)) return { kind: null, code: Number(name), bytes };
  const kind = name as AttachmentKind;
  return { kind, code: ATTACHMENT_KINDS[kind], bytes };
}
