import { backoffDelay } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { ErrorCode } from '../base/errors.ts';
import { errorCode } from '../base/errors.ts';
import type { ItemId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import { RecurringWork } from '../base/recurring-work.ts';
import { isOnList } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { ShareService } from './share-service.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface KeyRenewalDeps {
  readonly storage: Storage;
  readonly list: Pick<SphereList, 'all'>;
  readonly shares: Pick<ShareService, 'renew'>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** A disk that was full or unplugged, a swarm process that was started again. */
const RETRY = { baseMs: 60_000, maxMs: 6 * 3_600_000 };
const IDLE_MS = 6 * 3_600_000;
/** The person did not want it, or the file is another one: the next start looks at it again. */
const FINAL: readonly ErrorCode[] = ['cancelled', 'file-changed'];

/**
 * Shares again under a new key what this device shared without knowing that somebody had gone: they would have the old
 * key. Only who shared an item can say what its new version is.
 */
export class KeyRenewal {
  readonly #deps: KeyRenewalDeps;
  /** How often it was tried, and when it may be tried again, by the monotonic clock; Infinity while it is under way. */
  readonly #tried = new Map<ItemId, { readonly attempts: number; readonly againAtMs: number }>();
  readonly #work: RecurringWork;

  constructor(deps: KeyRenewalDeps) {
    this.#deps = deps;
    this.#work = new RecurringWork({ ...deps, pass: () => this.#pass(), retryMs: RETRY.baseMs });
  }

  /** Tries again what failed, until the signal aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.#work.run(signal);
  }

  async renew(sphere: Sphere): Promise<void> {
    const due = this.#due(sphere);
    const attempts = due.map((itemId) => this.#tried.get(itemId)?.attempts ?? 0);
    for (const [index, itemId] of due.entries()) this.#note(itemId, attempts[index] ?? 0, Infinity);
    for (const [index, itemId] of due.entries()) await this.#renewOne(itemId, attempts[index] ?? 0);
  }

  async #renewOne(itemId: ItemId, attempts: number): Promise<void> {
    const { shares, clock, random, log } = this.#deps;
    try {
      await shares.renew(itemId);
    } catch (error) {
      log.warn('an item keeps its key', { itemId, attempts, error });
      if (FINAL.includes(errorCode(error))) return;
      const waitMs = backoffDelay(attempts, RETRY, () => randomFraction(random));
      this.#note(itemId, attempts + 1, clock.monotonic() + waitMs);
      this.#work.wake();
    }
  }

  async #pass(): Promise<number> {
    const { list, clock } = this.#deps;
    for (const sphere of list.all()) await this.renew(sphere);
    const again = [...this.#tried.values()].map(({ againAtMs }) => againAtMs - clock.monotonic());
    return Math.max(50, Math.min(IDLE_MS, ...again));
  }

  #note(itemId: ItemId, attempts: number, againAtMs: number): void {
    this.#tried.set(itemId, { attempts, againAtMs });
  }

  #due(sphere: Sphere): ItemId[] {
    const { currentEpoch, isEpochDue, items } = sphere.state;
    const { state } = sphere.row;
    const hasEpoch = currentEpoch !== null && !isEpochDue && sphere.epoch(currentEpoch.id) !== undefined;
    // Under the old epoch the new key would be theirs too.
    if (!hasEpoch || state !== 'joined' || sphere.role === 'viewer') return [];
    const ours = [...items.values()].filter(
      ({ needsNewKey, replacedBy, event }) =>
        needsNewKey && replacedBy === null && !event.body.plain && event.header.device === sphere.device,
    );
    return ours.flatMap(({ id }) => {
      const row = this.#deps.storage.items.get(id);
      const isShared = row?.state === 'sharing' && isOnList(row);
      const isLate = (this.#tried.get(id)?.againAtMs ?? 0) <= this.#deps.clock.monotonic();
      return isShared && isLate ? [id] : [];
    });
  }
}
