import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Scope } from '../base/scope.ts';
import type { ItemId } from '../base/id.ts';
import type { AppEvent, ItemView, SequencedEvent } from '../contract/views.ts';

const CAPACITY = 10_000;
const MIN_INTERVAL_MS = 250;
/** A list of more files is told only when it changes, and kept once. */
const LONG_LIST = 100;

/** The last time that a long list of files was told. */
interface ToldFiles {
  readonly files: ItemView['files'];
  readonly seq: number;
}

/**
 * Numbers the engine's events, keeps the latest ones for readers that come back, and lets through
 * at most four upserts a second of the same item, job or swarm.
 */
export class EventLog {
  readonly #clock: Clock;
  readonly #scope: Scope;
  readonly #capacity: number;
  readonly #ring: SequencedEvent[] = [];
  readonly #pending = new Map<string, AppEvent>();
  readonly #emittedAt = new Map<string, number>();
  readonly #waiting = new Set<() => void>();
  readonly #files = new Map<ItemId, ToldFiles>();
  #seq: number;
  #flushing = false;

  constructor(deps: { clock: Clock; scope: Scope; capacity?: number }) {
    this.#clock = deps.clock;
    this.#scope = deps.scope;
    this.#capacity = deps.capacity ?? CAPACITY;
    // Numbers begin at the wall time, so that those of an earlier launch are always too old to resume from.
    this.#seq = deps.clock.now();
  }

  /** The number of the newest event. */
  get seq(): number {
    return this.#seq;
  }

  append(event: AppEvent): void {
    if (event.kind === 'sphere-removed') this.#forgetSphere(event.sphereId);
    if (event.kind === 'item-removed') this.#pending.delete(`item ${event.itemId}`);
    const key = coalescingKey(event);
    if (key === undefined) {
      this.#push(event);
      return;
    }
    if (this.#waitMs(key) <= 0) {
      this.#pending.delete(key);
      this.#emittedAt.set(key, this.#clock.monotonic());
      this.#push(event);
      return;
    }
    this.#pending.set(key, event);
    this.#scheduleFlush();
  }

  /** Every event after number `seq`, for ever; `conflict` when they are no longer all known. */
  async *since(seq: number, signal: AbortSignal): AsyncGenerator<SequencedEvent, void, void> {
    let next = seq + 1;
    while (!signal.aborted) {
      if (next <= this.#seq - this.#ring.length || next > this.#seq + 1) {
        throw new AppError('conflict', 'these events are no longer kept, take a new snapshot', { seq });
      }
      const event = this.#ring[next - (this.#seq - this.#ring.length) - 1];
      if (event === undefined) {
        await this.#nextEvent(signal);
        continue;
      }
      next += 1;
      yield event;
    }
  }

  #push(whole: AppEvent): void {
    this.#seq += 1;
    const event = this.#withoutToldFiles(whole);
    this.#ring.push({ seq: this.#seq, event });
    if (this.#ring.length > this.#capacity) this.#ring.shift();
    for (const wake of Array.from(this.#waiting)) wake();
  }

  #withoutToldFiles(event: AppEvent): AppEvent {
    if (event.kind === 'item-removed') this.#files.delete(event.itemId);
    // Whoever hears this forgets the items that it is about.
    if (event.kind === 'sphere-removed' || event.kind === 'account') this.#files.clear();
    if (event.kind !== 'item') return event;
    const { id, files } = event.item;
    const told = this.#files.get(id);
    if (told?.files === files) return progressOf(event);
    // Whoever reads the older event reads this one too.
    if (told !== undefined) this.#shorten(told.seq);
    if (files.length > LONG_LIST) this.#files.set(id, { files, seq: this.#seq });
    else this.#files.delete(id);
    return event;
  }

  #shorten(seq: number): void {
    // The newest number is given already, and its event not yet kept.
    const index = this.#ring.length - (this.#seq - seq);
    const old = this.#ring[index];
    if (old?.event.kind === 'item') this.#ring[index] = { seq, event: progressOf(old.event) };
  }

  #nextEvent(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  #waitMs(key: string): number {
    const emittedAt = this.#emittedAt.get(key);
    return emittedAt === undefined ? 0 : emittedAt + MIN_INTERVAL_MS - this.#clock.monotonic();
  }

  #scheduleFlush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#scope.spawn('event-log flush', async (signal) => {
      try {
        while (this.#pending.size > 0) {
          const waits = Array.from(this.#pending.keys(), (key) => this.#waitMs(key));
          await this.#clock.sleep(Math.max(1, Math.min(...waits)), signal);
          this.#flushDue();
        }
      } finally {
        this.#flushing = false;
      }
    });
  }

  #flushDue(): void {
    for (const [key, event] of Array.from(this.#pending)) {
      if (this.#waitMs(key) > 0) continue;
      this.#pending.delete(key);
      this.#emittedAt.set(key, this.#clock.monotonic());
      this.#push(event);
    }
    for (const key of Array.from(this.#emittedAt.keys())) {
      if (!this.#pending.has(key) && this.#waitMs(key) <= 0) this.#emittedAt.delete(key);
    }
  }

  /** A late upsert must not bring back what a removal took away. */
  #forgetSphere(sphereId: string): void {
    for (const [key, event] of Array.from(this.#pending)) {
      const of = event.kind === 'item' ? event.item.sphereId : event.kind === 'job' ? event.job.sphereId : undefined;
      if (of === sphereId) this.#pending.delete(key);
    }
  }
}

function progressOf({ item: { files: _told, ...item } }: Extract<AppEvent, { kind: 'item' }>): AppEvent {
  return { kind: 'item-progress', item };
}

function coalescingKey(event: AppEvent): string | undefined {
  switch (event.kind) {
    case 'item':
    case 'item-progress':
      return `item ${event.item.id}`;
    case 'job':
      return `job ${event.job.id}`;
    case 'typing':
      return `typing ${event.sphereId}`;
    case 'swarm':
      return 'swarm';
    case 'picture':
      return `picture ${event.jid}`;
    case 'account':
    case 'sphere':
    case 'sphere-removed':
    case 'item-removed':
    case 'invitation':
    case 'invitation-removed':
    case 'message':
    case 'message-removed':
    case 'contact':
    case 'contact-removed':
    case 'limits':
    case 'notice':
      return undefined;
  }
}
