import type { BareJid, EventId, ItemId } from '../base/id.ts';
import type { Storage } from '../storage/storage.ts';
import { fromUtf8 } from '../base/bytes.ts';
import { itemLine } from './human-line.ts';
import type { KnownEvent, SignedEvent } from './protocol/event.ts';
import type { Sphere } from './sphere.ts';

/** What became different on this device because of events. */
export type SphereChange =
  | { readonly kind: 'message'; readonly id: EventId }
  | { readonly kind: 'item'; readonly id: ItemId }
  | { readonly kind: 'members' }
  /** Somebody answered an invitation. */
  | { readonly kind: 'joined'; readonly event: KnownEvent<'join'> }
  | { readonly kind: 'left'; readonly event: KnownEvent<'leave'> }
  | { readonly kind: 'epochs' };

const OF_MEMBERS = new Set(['genesis', 'device', 'invite', 'join', 'decline', 'leave', 'remove', 'role', 'rename']);

/**
 * Turns events in force into what the person sees: lines of the conversation and items of the gallery.
 * An event that waits for another takes effect when that one arrives.
 */
export class Effects {
  readonly #sphere: Sphere;
  readonly #storage: Storage;
  readonly #own: BareJid;
  readonly #waiting = new Map<EventId, SignedEvent>();

  constructor(deps: { sphere: Sphere; storage: Storage; own: BareJid }) {
    this.#sphere = deps.sphere;
    this.#storage = deps.storage;
    this.#own = deps.own;
    this.#wait();
    deps.sphere.onReload.on(() => this.#wait());
  }

  /** Belongs into the transaction that keeps the events. */
  apply(events: readonly SignedEvent[]): SphereChange[] {
    for (const event of events) this.#waiting.set(event.id, event);
    const changes: SphereChange[] = [];
    for (const event of this.#waiting.values()) {
      if (this.#sphere.log.verdict(event.id)?.kind !== 'accepted') continue;
      this.#waiting.delete(event.id);
      changes.push(...this.#effect(event));
    }
    return changes;
  }

  /** What the log has not accepted may still come into force when something else arrives. */
  #wait(): void {
    const { log, state } = this.#sphere;
    const ids = [...state.held.keys(), ...state.refused.keys()];
    this.#waiting.clear();
    for (const event of ids.flatMap((id) => log.get(id) ?? [])) this.#waiting.set(event.id, event);
  }

  #effect(event: SignedEvent): SphereChange[] {
    switch (event.type) {
      case 'message':
        return this.#showMessage(event);
      case 'item':
        return this.#showItem(event);
      case 'epoch':
        return this.#learnEpoch(event);
      case 'join':
        return [{ kind: 'members' }, { kind: 'joined', event }, ...this.#notice(event, 'joined')];
      case 'leave':
        return [{ kind: 'members' }, { kind: 'left', event }, ...this.#notice(event, 'left')];
      case 'genesis':
        return [{ kind: 'members' }, ...this.#notice(event, 'created')];
      default:
        return OF_MEMBERS.has(event.type) ? [{ kind: 'members' }] : [];
    }
  }

  #showMessage(event: KnownEvent<'message'>): SphereChange[] {
    const bytes = this.#storage.attachments.get(event.id, 'text');
    const text = bytes === undefined ? undefined : fromUtf8(bytes);
    // Without its text there is nothing to show; when a member passes it on again it comes with one.
    if (text === undefined) return [];
    return this.#line(event, { kind: 'text', text, itemId: null });
  }

  #showItem(event: KnownEvent<'item'>): SphereChange[] {
    const itemId = event.id as string as ItemId;
    const { name, bytes, media, infoHash } = event.body;
    const line = this.#line(event, { kind: 'item', text: itemLine({ kind: media.kind, name, bytes }), itemId });
    if (this.#storage.items.get(itemId) !== undefined) return line;
    this.#storage.items.put({
      itemId,
      sphereId: this.#sphere.id,
      infoHash,
      state: 'listed',
      wanted: false,
      paused: false,
      bytesHave: 0,
      bitfield: null,
      path: null,
      layout: null,
      updatedAtMs: event.header.wallMs,
    });
    return [...line, { kind: 'item', id: itemId }];
  }

  #learnEpoch(event: KnownEvent<'epoch'>): SphereChange[] {
    const key = this.#storage.attachments.get(event.id, 'epoch-key');
    if (key === undefined) return [];
    this.#sphere.putEpochKey(event.id, event.body.number, key);
    // The key has its own place, sealed; a second copy would only have to be forgotten too.
    this.#storage.attachments.remove(event.id, 'epoch-key');
    return [{ kind: 'epochs' }];
  }

  #notice(event: SignedEvent, text: string): SphereChange[] {
    return this.#line(event, { kind: 'notice', text, itemId: null });
  }

  #line(
    event: SignedEvent,
    line: { kind: 'text' | 'item' | 'notice'; text: string; itemId: ItemId | null },
  ): SphereChange[] {
    const from = this.#sphere.jidOf(event.header.person) ?? this.#own;
    // The first event of a sphere is told to nobody: there is nobody yet.
    const isOwn = event.header.device === this.#sphere.device && event.type !== 'genesis';
    const row = {
      id: event.id,
      sphereId: this.#sphere.id,
      from,
      ...line,
      atMs: event.header.wallMs,
      lamport: event.header.lamport,
      state: isOwn ? ('queued' as const) : ('received' as const),
      encrypted: true,
    };
    const order = this.#storage.messages.add(row);
    if (order === undefined && this.#storage.messages.get(event.id)?.state === 'undecryptable') {
      this.#storage.messages.update(event.id, row);
      return [{ kind: 'message', id: event.id }];
    }
    return order === undefined ? [] : [{ kind: 'message', id: event.id }];
  }
}
