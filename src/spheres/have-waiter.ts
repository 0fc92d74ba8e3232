import { AppError } from '../base/errors.ts';
import type { InfoHash } from '../base/id.ts';
import type { SwarmEvent, TorrentState } from '../contract/swarm.ts';
import { hasRange } from './piece-map.ts';
import type { SwarmFeed } from './swarm-feed.ts';

/** A torrent by what is needed to ask for its pieces. */
export interface WaitedTorrent {
  readonly infoHash: InfoHash;
  readonly pieceLength: number;
}

interface Waiting {
  readonly infoHash: InfoHash;
  readonly check: (bitfield: Uint8Array) => boolean;
  readonly fail: (error: AppError) => void;
}

/** States in which nothing more comes by itself. */
const AT_REST: readonly TorrentState['state'][] = ['failed', 'missing', 'changed', 'disk-full'];

/** Lets readers wait until bytes of a torrent are verified and on disk. */
export class HaveWaiter implements Disposable {
  readonly #bitfields = new Map<InfoHash, Uint8Array>();
  readonly #waiting = new Set<Waiting>();
  readonly #stop: () => void;

  constructor(deps: { feed: SwarmFeed }) {
    this.#stop = deps.feed.onEvent.on((event) => this.#take(event));
  }

  /** What is known before the swarm says anything; null = nothing, whatever was known of an earlier copy. */
  set(infoHash: InfoHash, bitfield: Uint8Array | null): void {
    if (bitfield === null) this.#bitfields.delete(infoHash);
    else this.#bitfields.set(infoHash, bitfield);
  }

  has(torrent: WaitedTorrent, from: number, to: number): boolean {
    const bitfield = this.#bitfields.get(torrent.infoHash) ?? null;
    return hasRange({ bitfield, pieceLength: torrent.pieceLength }, from, to);
  }

  /** Rejects when the torrent comes to rest without them, or the signal aborts. */
  waitFor(torrent: WaitedTorrent, from: number, to: number, signal: AbortSignal): Promise<void> {
    if (this.has(torrent, from, to)) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#waiting.delete(entry);
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => {
        end();
        reject(signal.reason);
      };
      const entry: Waiting = {
        infoHash: torrent.infoHash,
        check: (bitfield) => {
          if (!hasRange({ bitfield, pieceLength: torrent.pieceLength }, from, to)) return false;
          end();
          resolve();
          return true;
        },
        fail: (error) => {
          end();
          reject(error);
        },
      };
      this.#waiting.add(entry);
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
    });
  }

  [Symbol.dispose](): void {
    this.#stop();
    for (const entry of [...this.#waiting]) entry.fail(new AppError('cancelled', 'signed out'));
  }

  #take(event: SwarmEvent): void {
    if (event.kind === 'have') {
      this.#bitfields.set(event.infoHash, event.bitfield);
      for (const entry of this.#of(event.infoHash)) entry.check(event.bitfield);
    }
    if (event.kind === 'state' && AT_REST.includes(event.torrent.state)) {
      const { infoHash, error, state } = event.torrent;
      const reason = new AppError(error?.code ?? 'internal', error?.message ?? 'the download stopped', { state });
      for (const entry of this.#of(infoHash)) entry.fail(reason);
    }
  }

  #of(infoHash: InfoHash): Waiting[] {
    return [...this.#waiting].filter((entry) => entry.infoHash === infoHash);
  }
}
