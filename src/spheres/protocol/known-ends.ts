import type { DeviceKey, EventId } from '../../base/id.ts';
import type { KnownEvent, SignedEvent } from './event.ts';
import { isItemEvent } from './event.ts';
import type { LogOrder } from './log-order.ts';
import { isStructural } from './member-record.ts';

/** Of all ends in canonical order, one bit each. */
type EndSet = bigint;

const ENDS: ReadonlySet<string> = new Set(['remove', 'leave', 'device-end']);

/**
 * Which ends (removals, leaves, ended devices) the authors of events have known for certain: those among the event's
 * ancestors. What merely stands before it in canonical order may have come to them later, and its keys to the gone.
 */
export class KnownEnds {
  readonly #order: LogOrder;
  /** Places of all ends, in order. */
  readonly #ends: readonly number[];
  /** Those that whoever went said themselves: nothing keeps these from coming years late, or from being dated back. */
  readonly #byThemselves: EndSet;
  readonly #bits = new Map<EventId, EndSet>();
  /** With the event itself; only of events that others can name as what they go back to. */
  readonly #byEvent = new Map<EventId, EndSet>();
  readonly #byDevice = new Map<DeviceKey, EndSet>();
  /** What all epochs of a number know that are in force so far. */
  readonly #byNumber = new Map<number, EndSet>();
  /** What its device knew before an event that told it more. */
  readonly #before = new Map<EventId, EndSet>();
  #passed: EndSet = 0n;

  constructor({ order, ends }: { order: LogOrder; ends: readonly number[] }) {
    this.#order = order;
    this.#ends = ends;
    let byThemselves = 0n;
    for (const [index, position] of ends.entries()) {
      const event = order.ordered[position];
      if (event === undefined) continue;
      this.#bits.set(event.id, 1n << BigInt(index));
      if (event.type !== 'remove') byThemselves |= 1n << BigInt(index);
    }
    this.#byThemselves = byThemselves;
  }

  /** Events come in canonical order: what they name has a smaller Lamport time, or they are void. */
  add(event: SignedEvent): void {
    const { id, header } = event;
    if (this.#order.held.has(id) || this.#order.broken.has(id)) return;
    const before = this.#byDevice.get(header.device) ?? 0n;
    // Whoever shares under an epoch has its event, and what its author had named.
    const named = this.#of(header.membership) | (isItemEvent(event) ? this.#of(event.body.epoch) : 0n);
    const bit = this.#bits.get(id) ?? 0n;
    const known = before | named | bit;
    this.#passed |= bit;
    if (isStructural(event) || event.type === 'epoch') this.#byEvent.set(id, known);
    if (known === before) return;
    this.#before.set(id, before);
    this.#byDevice.set(header.device, known);
  }

  /** An epoch in force. Whoever begins one has all those before it, of each number one at least. */
  addEpoch({ id, header, body: { number, reason } }: KnownEvent<'epoch'>): void {
    const inherited = number === 0 ? 0n : (this.#byNumber.get(number - 1) ?? 0n);
    let known = this.#of(id) | inherited;
    // Begun for an end that it cannot name, because `membership` stands behind that and was written without knowing it.
    const isForUnnamed = reason === 'removal' && known === inherited && !this.#isEnd(header.membership);
    if (isForUnnamed) known |= this.#upTo(this.#order.seen(id));
    this.#byEvent.set(id, known);
    this.#byNumber.set(number, known & (this.#byNumber.get(number) ?? known));
    this.#byDevice.set(header.device, known | (this.#byDevice.get(header.device) ?? 0n));
  }

  /** As if the last event of its device that is content, and no epoch, had not been added. */
  takeBack({ id, header }: SignedEvent): void {
    const before = this.#before.get(id);
    if (before === undefined) return;
    this.#byDevice.set(header.device, before);
    this.#before.delete(id);
  }

  /**
   * Whether somebody had gone before the event that was just added without its author knowing of it. Of an end that those
   * who went said themselves it is enough that the author had seen what stands behind it.
   */
  lacksOneBefore({ id, header }: SignedEvent): boolean {
    const lacked = this.#passed & ~(this.#byDevice.get(header.device) ?? 0n);
    if (lacked === 0n) return false;
    return (lacked & ~(this.#byThemselves & this.#upTo(this.#order.seen(id)))) !== 0n;
  }

  /** Whether somebody has gone, wherever that stands, whom the author of an epoch did not know to have gone. */
  lacksOne(epoch: EventId): boolean {
    return this.#lackedBy(this.#of(epoch)) !== 0n;
  }

  /** The newest end that is not among the ancestors of what the device says next; `number` = of the newest epoch. */
  newestUnnamed(device: DeviceKey, number: number): EventId | undefined {
    const known = (this.#byDevice.get(device) ?? 0n) | (this.#byNumber.get(number) ?? 0n);
    const lacked = this.#lackedBy(known);
    return [...this.#bits].findLast(([, bit]) => (lacked & bit) !== 0n)?.[0];
  }

  #of(id: EventId | null): EndSet {
    return (id === null ? undefined : this.#byEvent.get(id)) ?? 0n;
  }

  #lackedBy(known: EndSet): EndSet {
    return ((1n << BigInt(this.#ends.length)) - 1n) & ~known;
  }

  #upTo(position: number): EndSet {
    return (1n << BigInt(this.#ends.filter((end) => end <= position).length)) - 1n;
  }

  #isEnd(id: EventId | null): boolean {
    const position = id === null ? undefined : this.#order.position(id);
    return position !== undefined && ENDS.has(this.#order.ordered[position]?.type ?? '');
  }
}
