import type { Clock } from '../base/clock.ts';
import type { BareJid, EventId, ItemId, SphereId } from '../base/id.ts';
import { NO_LIMITS } from '../contract/views.ts';
import type { Storage } from '../storage/storage.ts';
import { currentText } from './current-text.ts';
import { historyFor } from './history.ts';
import { itemLine } from './human-line.ts';
import { knownCopies } from './known-copies.ts';
import { learnPerson } from './learn-person.ts';
import { deletionOf } from './deletion.ts';
import type { ItemEvent, KnownEvent, SignedEvent } from './protocol/event.ts';
import { isItemEvent } from './protocol/event.ts';
import { compareEvents } from './protocol/log-order.ts';
import { textsWith } from './protocol/long-text.ts';
import type { HoldReason, RefusalReason } from './protocol/verdict.ts';
import { isLateAnswer } from './late-answer.ts';
import { isTakenBack } from './is-taken-back.ts';
import { removalLine } from './removal-line.ts';
import type { Sphere } from './sphere.ts';
import { SphereLines } from './sphere-lines.ts';
import { versionsOf } from './versions.ts';

/** What became different on this device because of events. */
export type SphereChange =
  | { readonly kind: 'message'; readonly id: EventId }
  | { readonly kind: 'message-gone'; readonly id: EventId }
  | { readonly kind: 'item'; readonly id: ItemId }
  /** What was listed is refused after all. */
  | { readonly kind: 'item-gone'; readonly id: ItemId }
  /** It was deleted for everybody, or put back. */
  | { readonly kind: 'item-deletion'; readonly id: ItemId }
  /** A newer version took its place. */
  | { readonly kind: 'item-replaced'; readonly id: ItemId }
  | { readonly kind: 'members' }
  | { readonly kind: 'picture' }
  /** Somebody answered an invitation. */
  | { readonly kind: 'joined'; readonly event: KnownEvent<'join'> }
  | { readonly kind: 'left'; readonly event: KnownEvent<'leave'> }
  /** A person has ended a device of theirs. */
  | { readonly kind: 'device-ended' }
  | { readonly kind: 'declined' }
  /** Somebody has other rights now. */
  | { readonly kind: 'rights' }
  /** Somebody goes on under another address, or does not after all. */
  | { readonly kind: 'moved' }
  /** Somebody said that it goes on in another sphere. */
  | { readonly kind: 'continued'; readonly sphere: SphereId }
  /** It is in another room from now on. */
  | { readonly kind: 'room' }
  | { readonly kind: 'epochs' };

/** Lines further back than these are on nobody's screen: they tell who has seen them when they are looked at. */
const MAX_TOLD = 60;

const MOVED: readonly SphereChange[] = [{ kind: 'members' }, { kind: 'rights' }, { kind: 'moved' }];
const OF_MEMBERS = new Set([
  ...['genesis', 'device', 'device-end', 'invite', 'join', 'decline', 'leave', 'remove', 'role', 'rename'],
  'moved',
  ...['handover', 'accept', 'succession', 'succeed', 'object'],
]);

/**
 * Turns events in force into what the person sees: lines of the conversation and items of the gallery.
 * An event that waits for another takes effect when that one arrives; one that is refused afterwards loses its effect,
 * so that everybody sees the same, whatever came first.
 */
export class Effects {
  readonly #sphere: Sphere;
  readonly #storage: Storage;
  readonly #lines: SphereLines;
  readonly #clock: Clock;
  readonly #waiting = new Map<EventId, SignedEvent>();

  constructor(deps: { sphere: Sphere; storage: Storage; own: BareJid; clock: Clock }) {
    this.#sphere = deps.sphere;
    this.#storage = deps.storage;
    this.#lines = new SphereLines(deps);
    this.#clock = deps.clock;
    this.#wait();
    deps.sphere.onReload.on(() => this.#wait());
  }

  /** Belongs into the transaction that keeps the events. `isToldAgain`: history, which is not shown as the newest. */
  apply(events: readonly SignedEvent[], isToldAgain = false): SphereChange[] {
    const { log } = this.#sphere;
    for (const event of events) if (log.has(event.id)) this.#waiting.set(event.id, event);
    const changes = this.#takeBack();
    const ready = [...this.#waiting.values()].filter(({ id }) => log.verdict(id)?.kind === 'accepted');
    for (const event of ready.sort(compareEvents)) {
      this.#waiting.delete(event.id);
      changes.push(...this.#effect(event, isToldAgain || !events.includes(event)));
    }
    for (const event of events) if (isLateAnswer(this.#sphere, event)) changes.push({ kind: 'joined', event });
    return changes;
  }

  /** What the log has not accepted may still come into force when something else arrives. */
  #wait(): void {
    this.#waiting.clear();
    for (const [event] of this.#outOfForce()) if (!this.#isShown(event)) this.#waiting.set(event.id, event);
  }

  #outOfForce(): (readonly [SignedEvent, RefusalReason | HoldReason])[] {
    const { log, state } = this.#sphere;
    return [...state.held, ...state.refused].flatMap(([id, reason]) => {
      const event = log.get(id);
      return event === undefined ? [] : [[event, reason] as const];
    });
  }

  #isShown({ id }: SignedEvent): boolean {
    const row = this.#storage.messages.get(id);
    const isLine = row !== undefined && row.state !== 'undecryptable' && !isTakenBack(row);
    return isLine || this.#storage.items.get(id as string as ItemId) !== undefined;
  }

  /** What was in force and no longer is: a removal came that draws its line before it. */
  #takeBack(): SphereChange[] {
    const changes: SphereChange[] = [];
    for (const [event, reason] of this.#outOfForce()) {
      if (this.#waiting.has(event.id)) continue;
      this.#waiting.set(event.id, event);
      changes.push(...this.#undo(event, reason));
    }
    return changes;
  }

  #undo(event: SignedEvent, reason: RefusalReason | HoldReason): SphereChange[] {
    const changes: SphereChange[] = this.#lines.undo(event, reason);
    if (event.type === 'edit' || event.type === 'retract') changes.push(...this.#refreshTarget(event.body.target));
    if (event.type === 'reaction') changes.push(...this.#shown(event.body.target));
    if (isItemEvent(event)) {
      changes.push({ kind: 'item-gone', id: event.id as string as ItemId });
      const { replaces } = event.body;
      if (replaces !== null) changes.push(...this.#settleVersions(replaces as string as ItemId));
    }
    if (event.type === 'epoch') changes.push({ kind: 'epochs' });
    if (OF_MEMBERS.has(event.type)) changes.push({ kind: 'members' });
    if (event.type === 'accept' || event.type === 'succeed') changes.push({ kind: 'rights' });
    if (event.type === 'moved') changes.push(...MOVED);
    if (event.type === 'room' || event.type === 'picture') changes.push({ kind: event.type });
    return changes;
  }

  #effect(event: SignedEvent, isToldAgain: boolean): SphereChange[] {
    switch (event.type) {
      case 'message':
      case 'item':
      case 'torrent':
        return this.#showContribution(event, isToldAgain);
      case 'epoch':
        return this.#learnEpoch(event);
      case 'join':
        return [{ kind: 'members' }, { kind: 'joined', event }, ...this.#notice(event, 'joined', isToldAgain)];
      case 'decline':
        return [{ kind: 'members' }, { kind: 'declined' }];
      case 'leave':
        return [{ kind: 'members' }, { kind: 'left', event }, ...this.#notice(event, 'left', isToldAgain)];
      case 'device-end':
        return [{ kind: 'members' }, { kind: 'device-ended' }];
      case 'remove':
        return [{ kind: 'members' }, ...this.#tellRemoval(event, isToldAgain)];
      case 'role':
        return [{ kind: 'members' }, { kind: 'rights' }];
      case 'accept':
      case 'succeed':
        return [{ kind: 'members' }, { kind: 'rights' }, ...this.#notice(event, 'owner', isToldAgain)];
      case 'moved':
        return [...MOVED, ...this.#notice(event, 'moved', isToldAgain)];
      case 'picture':
        return [{ kind: 'picture' }];
      case 'room':
        return [{ kind: 'room' }, ...this.#notice(event, 'relocated', isToldAgain)];
      case 'genesis':
        return [{ kind: 'members' }, ...this.#notice(event, 'created', isToldAgain)];
      case 'part':
        return this.#takePart(event);
      case 'edit':
        return [...this.#readLate(event), ...this.#refreshTarget(event.body.target)];
      case 'retract':
        return this.#refreshTarget(event.body.target);
      case 'reaction':
        return this.#shown(event.body.target);
      case 'read':
        return this.#markRead(event);
      case 'introduce':
        learnPerson({ sphere: this.#sphere, storage: this.#storage, clock: this.#clock }, event);
        return [{ kind: 'members' }];
      case 'continued':
        return [{ kind: 'continued', sphere: event.body.sphere }];
      default:
        return OF_MEMBERS.has(event.type) ? [{ kind: 'members' }] : [];
    }
  }

  #showContribution(event: KnownEvent<'message'> | ItemEvent, isToldAgain: boolean): SphereChange[] {
    // From before our time: its event came only so that the chain is whole.
    if (!historyFor(this.#sphere, this.#sphere.person).isOpen(event)) return [];
    return isItemEvent(event) ? this.#showItem(event, isToldAgain) : this.#showMessage(event, isToldAgain);
  }

  #showMessage(event: KnownEvent<'message'>, isToldAgain: boolean): SphereChange[] {
    const text = currentText(this.#sphere, this.#storage, event);
    // Without its text there is nothing to show; when a member passes it on again it comes with one.
    if (text === undefined) return [];
    const { replyTo } = event.body;
    const line = this.#lines.put(event, { kind: 'text', text, itemId: null, replyTo }, isToldAgain);
    // It is here already, and more of its text may have come.
    if (line.length === 0 && event.body.parts !== undefined) return this.#refreshTarget(event.id);
    // An item tells how many comments it has.
    return replyTo === null ? line : [...line, ...this.#shown(replyTo)];
  }

  /** Usually before the text that it begins; one that was missing makes that longer. */
  #takePart(part: KnownEvent<'part'>): SphereChange[] {
    const { log } = this.#sphere;
    const texts = textsWith(log, part).filter(({ id }) => log.verdict(id)?.kind === 'accepted');
    const shown = texts.flatMap((text) =>
      text.type === 'message' ? this.#showContribution(text, true) : this.#refreshTarget(text.body.target),
    );
    return [...this.#readLate(part), ...shown];
  }

  /** What could not be read has a line of its own until somebody passes it on. */
  #readLate({ id }: SignedEvent): SphereChange[] {
    if (this.#storage.messages.get(id)?.state !== 'undecryptable') return [];
    this.#storage.messages.remove(id);
    return [{ kind: 'message-gone', id }];
  }

  /** After an edit or a retraction, in whatever order they came. */
  #refreshTarget(target: EventId): SphereChange[] {
    const event = this.#sphere.log.get(target);
    if (isItemEvent(event)) return this.#settleDeletion(target as string as ItemId);
    const row = this.#storage.messages.get(target);
    if (event?.type !== 'message' || row === undefined || row.state === 'undecryptable') return [];
    const text = currentText(this.#sphere, this.#storage, event);
    if (text !== undefined) this.#storage.messages.update(target, { text });
    return [{ kind: 'message', id: target }];
  }

  /** Something about this line is to be shown anew. */
  #shown(id: EventId): SphereChange[] {
    return this.#storage.messages.has(id) ? [{ kind: 'message', id }] : [];
  }

  /** A version that follows is deleted with the one it takes the place of. */
  #settleDeletion(itemId: ItemId): SphereChange[] {
    const { items } = this.#sphere.state;
    return versionsOf(items, itemId).flatMap((id): SphereChange[] => {
      const [row, event] = [this.#storage.items.get(id), items.get(id)?.event];
      if (row === undefined || event === undefined) return [];
      const isDeleted = deletionOf(this.#sphere, event) !== undefined;
      if (isDeleted === row.deletedAtMs > 0) return [];
      this.#storage.items.update(id, { deletedAtMs: isDeleted ? this.#clock.now() : 0 });
      return [{ kind: 'item-deletion', id }, ...this.#shown(id as string as EventId)];
    });
  }

  #markRead({ header, body }: KnownEvent<'read'>): SphereChange[] {
    const { messages, events } = this.#storage;
    const { id: sphereId, person, state } = this.#sphere;
    if (header.person === person) {
      for (const { device, sequence } of body.marks) messages.markReadUpTo(sphereId, device, sequence);
      if (body.line !== undefined) messages.markLinesReadUpTo(sphereId, body.line);
      return [];
    }
    return body.marks.flatMap(({ device, sequence }) => {
      if (state.devices.get(device)?.person !== person) return [];
      const ids = events.idsBetween(sphereId, device, { from: sequence - MAX_TOLD, to: sequence }, MAX_TOLD);
      return ids.flatMap((id) => this.#shown(id));
    });
  }

  #showItem(event: ItemEvent, isToldAgain: boolean): SphereChange[] {
    const itemId = event.id as string as ItemId;
    const { name, bytes, media } = event.body;
    const text = itemLine({ kind: media.kind, name, bytes });
    if (this.#storage.items.get(itemId) === undefined) this.#list(itemId, event);
    // What gets a new key is nothing new to people: its first version has the line, and what was said to it.
    const [first] = this.#openVersions(itemId);
    const isFirst = first === undefined || first === itemId;
    const line = isFirst ? this.#lines.put(event, { kind: 'item', text, itemId, replyTo: null }, isToldAgain) : [];
    return [...line, { kind: 'item', id: itemId }, ...this.#settleVersions(itemId), ...this.#settleDeletion(itemId)];
  }

  #list(itemId: ItemId, { body, header }: ItemEvent): void {
    const { infoHash } = body;
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
      updatedAtMs: header.wallMs,
      removedAtMs: 0,
      deletedAtMs: 0,
      chosen: null,
      priority: 'normal',
      limits: NO_LIMITS,
    });
  }

  #openVersions(itemId: ItemId): ItemId[] {
    const { items } = this.#sphere.state;
    const history = historyFor(this.#sphere, this.#sphere.person);
    return versionsOf(items, itemId).filter((id) => {
      const event = items.get(id)?.event;
      return event !== undefined && history.isOpen(event);
    });
  }

  /** Of all versions of an item the newest is listed, and the line of the first leads to it. */
  #settleVersions(itemId: ItemId): SphereChange[] {
    const { messages } = this.#storage;
    const versions = this.#openVersions(itemId);
    const newest = versions.at(-1);
    return versions.flatMap((version, index): SphereChange[] => {
      const changes: SphereChange[] = version === newest ? [] : [{ kind: 'item-replaced', id: version }];
      const lineId = version as string as EventId;
      const line = messages.get(lineId);
      if (line === undefined || newest === undefined) return changes;
      if (index > 0) {
        messages.remove(lineId);
        return [...changes, { kind: 'message-gone', id: lineId }];
      }
      if (line.itemId === newest) return changes;
      messages.update(lineId, { itemId: newest });
      return [...changes, { kind: 'message', id: lineId }, { kind: 'item', id: newest }];
    });
  }

  #learnEpoch(event: KnownEvent<'epoch'>): SphereChange[] {
    const key = this.#storage.attachments.get(event.id, 'epoch-key');
    if (key === undefined)
      return this.#storage.epochs.get(this.#sphere.id, event.id) === undefined ? [] : [{ kind: 'epochs' }];
    this.#sphere.putEpochKey(event.id, event.body.number, key);
    // The key has its own place, sealed; a second copy would only have to be forgotten too.
    this.#storage.attachments.remove(event.id, 'epoch-key');
    return [{ kind: 'epochs' }];
  }

  /** An invitation that is taken back is no word to the others. */
  #tellRemoval(event: KnownEvent<'remove'>, isToldAgain: boolean): SphereChange[] {
    const { person } = event.body;
    if (person === null) return [];
    return this.#notice(event, removalLine(knownCopies(this.#storage, this.#sphere, person).known), isToldAgain);
  }

  #notice(event: SignedEvent, text: string, isToldAgain: boolean): SphereChange[] {
    return this.#lines.put(event, { kind: 'notice', text, itemId: null, replyTo: null }, isToldAgain);
  }
}
