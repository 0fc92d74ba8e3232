import type { Clock } from '../base/clock.ts';
import type { InfoHash, SphereId } from '../base/id.ts';
import type { HeldTorrent } from '../torrent/held-torrent.ts';
import { isServed, type Served } from '../torrent/is-served.ts';
import { spheresOf } from '../torrent/torrent-spec.ts';

/** What begins together is told together. */
const GATHER_MS = 50;
const MOST_TOLD = 64;

export interface FetchTellerDeps {
  readonly clock: Clock;
  readonly tell: (sphereId: SphereId, infoHashes: InfoHash[]) => void;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
}

type Torrent = { readonly spec: Pick<HeldTorrent['spec'], 'sphereId' | 'alsoIn' | 'infoHash'> } & {
  readonly appetite: HeldTorrent['appetite'];
} & Served;

/** Tells when a torrent begins to want connections: a member who has it may be one whom nobody can call. */
export class FetchTeller {
  readonly #deps: FetchTellerDeps;
  readonly #fetching = new Set<InfoHash>();
  readonly #untold = new Map<InfoHash, SphereId[]>();

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
    if (this.#fetching.has(spec.infoHash) || isServed(torrent)) return;
    this.#fetching.add(spec.infoHash);
    if (this.#untold.size === 0) {
      this.#deps.spawn('tell what is fetched', async (signal) => {
        await this.#deps.clock.sleep(GATHER_MS, signal);
        this.#tell();
      });
    }
    this.#untold.set(spec.infoHash, spheresOf(spec));
  }

  forget({ infoHash }: Torrent['spec']): void {
    this.#fetching.delete(infoHash);
    this.#untold.delete(infoHash);
  }

  #tell(): void {
    const untold = Array.from(this.#untold).flatMap(([infoHash, ids]) =>
      ids.map((sphereId) => ({ sphereId, infoHash })),
    );
    const spheres = Map.groupBy(untold, ({ sphereId }) => sphereId);
    this.#untold.clear();
    for (const [sphereId, entries] of spheres) {
      const hashes = entries.map(({ infoHash }) => infoHash);
      while (hashes.length > 0) this.#deps.tell(sphereId, hashes.splice(0, MOST_TOLD));
    }
  }
}
