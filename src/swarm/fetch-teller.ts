import type { Clock } from '../base/clock.ts';
import type { InfoHash, SphereId } from '../base/id.ts';
import type { HeldTorrent } from '../torrent/held-torrent.ts';
import { isServed, type Served } from '../torrent/is-served.ts';
import { spheresOf } from '../torrent/torrent-spec.ts';

/** What begins together is told together. */
const GATHER_MS = 50;
const MOST_TOLD = 64;
/** Who gives it may come and go all the time, and whoever was told calls for a minute: the same is told no more often. */
const REST_MS = 30_000;

export interface FetchTellerDeps {
  readonly clock: Clock;
  readonly tell: (sphereId: SphereId, infoHashes: InfoHash[]) => void;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
}

type Torrent = { readonly spec: Pick<HeldTorrent['spec'], 'sphereId' | 'alsoIn' | 'infoHash'> } & {
  readonly appetite: HeldTorrent['appetite'];
} & Served;

/** Tells when a torrent begins, or begins again, to want connections: who has it may be one whom nobody can call. */
export class FetchTeller {
  readonly #deps: FetchTellerDeps;
  /** Wanted, and served by nobody. */
  readonly #fetching = new Set<InfoHash>();
  /** Those that are told when enough time has gone by. */
  readonly #owed = new Set<InfoHash>();
  readonly #untold = new Map<InfoHash, SphereId[]>();
  /** When those that are eager were told last, monotonic. */
  readonly #toldMs = new Map<InfoHash, number>();
  readonly #resting = new Set<InfoHash>();

  constructor(deps: FetchTellerDeps) {
    this.#deps = deps;
  }

  /** The torrent, or who is connected for it, has changed. */
  look(torrent: Torrent): void {
    const { spec, appetite } = torrent;
    if (appetite !== 'eager') {
      this.forget(spec);
      return;
    }
    if (isServed(torrent)) {
      this.#fetching.delete(spec.infoHash);
      this.#untold.delete(spec.infoHash);
      this.#owed.delete(spec.infoHash);
      return;
    }
    if (this.#fetching.has(spec.infoHash)) return;
    this.#fetching.add(spec.infoHash);
    const restMs = this.#restMs(spec.infoHash);
    if (restMs > 0) this.#tellLater(torrent.spec, restMs);
    else this.#gather(torrent.spec);
  }

  forget({ infoHash }: Torrent['spec']): void {
    this.#fetching.delete(infoHash);
    this.#untold.delete(infoHash);
    this.#owed.delete(infoHash);
    this.#toldMs.delete(infoHash);
  }

  #restMs(infoHash: InfoHash): number {
    const toldMs = this.#toldMs.get(infoHash) ?? -Infinity;
    return toldMs + REST_MS - this.#deps.clock.monotonic();
  }

  #tellLater(spec: Torrent['spec'], restMs: number): void {
    const { infoHash } = spec;
    this.#owed.add(infoHash);
    if (this.#resting.has(infoHash)) return;
    this.#resting.add(infoHash);
    this.#deps.spawn('tell again what is fetched', async (signal) => {
      await this.#deps.clock.sleep(restMs, signal);
      this.#resting.delete(infoHash);
      // It may be served again, or have been given up, or told after a new beginning.
      if (!this.#owed.has(infoHash)) return;
      const leftMs = this.#restMs(infoHash);
      if (leftMs > 0) this.#tellLater(spec, leftMs);
      else this.#gather(spec);
    });
  }

  #gather(spec: Torrent['spec']): void {
    this.#owed.delete(spec.infoHash);
    if (this.#untold.size === 0) {
      this.#deps.spawn('tell what is fetched', async (signal) => {
        await this.#deps.clock.sleep(GATHER_MS, signal);
        this.#tell();
      });
    }
    this.#untold.set(spec.infoHash, spheresOf(spec));
  }

  #tell(): void {
    const untold = Array.from(this.#untold).flatMap(([infoHash, ids]) =>
      ids.map((sphereId) => ({ sphereId, infoHash })),
    );
    const spheres = Map.groupBy(untold, ({ sphereId }) => sphereId);
    const nowMs = this.#deps.clock.monotonic();
    for (const infoHash of this.#untold.keys()) this.#toldMs.set(infoHash, nowMs);
    this.#untold.clear();
    for (const [sphereId, entries] of spheres) {
      const hashes = entries.map(({ infoHash }) => infoHash);
      while (hashes.length > 0) this.#deps.tell(sphereId, hashes.splice(0, MOST_TOLD));
    }
  }
}
