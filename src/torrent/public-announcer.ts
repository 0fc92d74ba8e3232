// BEP 3: tracker protocol, BEP 12: several trackers
import { errorCode } from '../base/errors.ts';
import type { InfoHash } from '../base/id.ts';
import { fromHex } from '../base/bytes.ts';
import type { Logger } from '../base/log.ts';
import { withinTime } from '../base/within-time.ts';
import type { PublicTrackerDeps } from './public-tracker.ts';
import { askPublicTracker } from './public-tracker.ts';
import type { TrackerReport } from './udp-tracker.ts';

const ANSWER_MS = 20_000;
const PARTING_MS = 2_000;
const LEAST_INTERVAL_MS = 60_000;
const RETRY_MS = 120_000;
const MOST_RETRY_MS = 3_600_000;

export interface PublicAnnouncerDeps extends PublicTrackerDeps {
  readonly log: Logger;
  readonly port: () => number;
}

/** A torrent while it is announced. Sizes are bytes. */
export interface AnnouncedTorrent {
  readonly infoHash: InfoHash;
  readonly trackers: readonly string[];
  readonly counts: () => { readonly uploaded: number; readonly downloaded: number; readonly left: number };
  readonly onPeer: (endpoint: string) => void;
}

/** Tells the trackers of public torrents, each of them for as long as it runs, that we take part. */
export class PublicAnnouncer {
  readonly #deps: PublicAnnouncerDeps;
  readonly #peerId: Uint8Array;

  constructor(deps: PublicAnnouncerDeps) {
    this.#deps = deps;
    this.#peerId = deps.random(20);
  }

  /** Announces until the signal ends it, and then says good-bye where it was heard. */
  async run(torrent: AnnouncedTorrent, signal: AbortSignal): Promise<void> {
    await Promise.all(torrent.trackers.map((tracker) => this.#attend(torrent, tracker, signal)));
  }

  async #attend(torrent: AnnouncedTorrent, tracker: string, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    let isKnown = false;
    let wasComplete = torrent.counts().left === 0;
    let retryMs = RETRY_MS;
    try {
      for (;;) {
        const isComplete = torrent.counts().left === 0;
        const event = !isKnown ? 'started' : isComplete && !wasComplete ? 'completed' : 'none';
        let pauseMs: number;
        try {
          const { intervalMs, peers } = await this.#ask(torrent, tracker, event, ANSWER_MS, signal);
          isKnown = true;
          wasComplete = isComplete;
          retryMs = RETRY_MS;
          pauseMs = Math.max(LEAST_INTERVAL_MS, intervalMs);
          for (const endpoint of peers) torrent.onPeer(endpoint);
        } catch (error) {
          signal.throwIfAborted();
          log.debug('public announce failed', { code: errorCode(error) });
          pauseMs = retryMs;
          retryMs = Math.min(MOST_RETRY_MS, retryMs * 2);
        }
        await clock.sleep(pauseMs, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    if (isKnown) await this.#part(torrent, tracker);
  }

  /** BEP 3: who stops says so; nobody waits long for it. */
  async #part(torrent: AnnouncedTorrent, tracker: string): Promise<void> {
    try {
      await this.#ask(torrent, tracker, 'stopped', PARTING_MS, new AbortController().signal);
    } catch (error) {
      this.#deps.log.debug('public tracker not told of the end', { code: errorCode(error) });
    }
  }

  #ask(torrent: AnnouncedTorrent, tracker: string, event: TrackerReport['event'], ms: number, signal: AbortSignal) {
    const { clock, port } = this.#deps;
    const infoHash = fromHex(torrent.infoHash) ?? new Uint8Array();
    const report = { infoHash, peerId: this.#peerId, port: port(), event, ...torrent.counts() };
    return withinTime({ clock, ms }, signal, (limited) => askPublicTracker(tracker, report, this.#deps, limited));
  }
}
