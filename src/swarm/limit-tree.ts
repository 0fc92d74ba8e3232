import type { Clock } from '../base/clock.ts';
import type { InfoHash, SphereId } from '../base/id.ts';
import type { LimitsView } from '../contract/views.ts';
import { NO_LIMITS } from '../contract/views.ts';
import { BucketChain } from '../torrent/bucket-chain.ts';
import { TokenBucket } from '../torrent/limits.ts';
import { OpenConnections } from '../torrent/open-connections.ts';
import type { Buckets } from '../torrent/peer-link.ts';

/** The limits of one thing, in both directions. */
class Pair implements Disposable {
  readonly up: TokenBucket;
  readonly down: TokenBucket;

  constructor(clock: Clock, { up, down }: LimitsView) {
    this.up = new TokenBucket({ clock, rate: up });
    this.down = new TokenBucket({ clock, rate: down });
  }

  set({ up, down }: LimitsView): void {
    this.up.setRate(up);
    this.down.setRate(down);
  }

  [Symbol.dispose](): void {
    this.up[Symbol.dispose]();
    this.down[Symbol.dispose]();
  }
}

interface Item {
  readonly sphereId: SphereId | null;
  readonly limits: LimitsView;
}

/** The limits of the whole process, of each sphere and of each item in them: all three hold at once. */
export class LimitTree implements Disposable {
  readonly #clock: Clock;
  readonly #all: Pair;
  readonly #spheres = new Map<SphereId, Pair>();
  readonly #items = new Map<InfoHash, Item>();
  /** Of items that connections were made for. */
  readonly #used = new Map<InfoHash, Pair>();
  readonly #connections = new OpenConnections();

  constructor(deps: { readonly clock: Clock; readonly limits: LimitsView }) {
    this.#clock = deps.clock;
    this.#all = new Pair(deps.clock, deps.limits);
  }

  /** Of an item, or without one of the whole process. */
  set(infoHash: InfoHash | undefined, limits: LimitsView): void {
    if (infoHash === undefined) this.#all.set(limits);
    else this.place(infoHash, this.#items.get(infoHash)?.sphereId ?? null, limits);
  }

  setSphere(sphereId: SphereId, limits: LimitsView): void {
    this.#sphere(sphereId).set(limits);
  }

  /** Whose limits hold for an item, and its own. */
  place(infoHash: InfoHash, sphereId: SphereId | null, limits: LimitsView = NO_LIMITS): void {
    this.#items.set(infoHash, { sphereId, limits });
    this.#used.get(infoHash)?.set(limits);
  }

  forget(infoHash: InfoHash): void {
    this.#items.delete(infoHash);
    this.#used.get(infoHash)?.[Symbol.dispose]();
    this.#used.delete(infoHash);
  }

  forgetSphere(sphereId: SphereId): void {
    for (const [infoHash, item] of this.#items) if (item.sphereId === sphereId) this.forget(infoHash);
    this.#spheres.get(sphereId)?.[Symbol.dispose]();
    this.#spheres.delete(sphereId);
  }

  /** What the connections of an item draw from. */
  bucketsOf(infoHash: InfoHash): Buckets {
    const { sphereId, limits } = this.#items.get(infoHash) ?? { sphereId: null, limits: NO_LIMITS };
    const own = this.#used.get(infoHash) ?? new Pair(this.#clock, limits);
    this.#used.set(infoHash, own);
    const narrow = [own, ...(sphereId === null ? [] : [this.#sphere(sphereId)])];
    const pairs = [...narrow, this.#all];
    return {
      up: new BucketChain(...pairs.map(({ up }) => up)),
      down: new BucketChain(...pairs.map(({ down }) => down)),
      connections: this.#connections,
      get isHeldBack() {
        return narrow.some(({ down }) => down.rate > 0);
      },
    };
  }

  [Symbol.dispose](): void {
    for (const pair of [...this.#used.values(), ...this.#spheres.values(), this.#all]) pair[Symbol.dispose]();
  }

  #sphere(sphereId: SphereId): Pair {
    const pair = this.#spheres.get(sphereId) ?? new Pair(this.#clock, NO_LIMITS);
    this.#spheres.set(sphereId, pair);
    return pair;
  }
}
