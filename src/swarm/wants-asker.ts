import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { InfoHash, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { withinTime } from '../base/within-time.ts';
import type { Dialled, DialTorrent } from '../torrent/dialer.ts';
import type { HeldTorrent } from '../torrent/held-torrent.ts';
import { isServed, type Served } from '../torrent/is-served.ts';
import { sphereMark } from '../torrent/sphere-mark.ts';
import { spheresOf } from '../torrent/torrent-spec.ts';
import { receiveWants, sendWants } from '../torrent/wants-exchange.ts';

const EXCHANGE_MS = 10_000;

type Torrent = { readonly spec: Pick<HeldTorrent['spec'], 'sphereId' | 'alsoIn' | 'infoHash'> } & {
  readonly appetite: HeldTorrent['appetite'];
} & Served;

export interface WantsAskerDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Those that are in use. */
  readonly active: () => Iterable<Torrent>;
  readonly onWants: (dialled: Dialled, infoHashes: readonly InfoHash[]) => void;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
}

/**
 * Asks members what they want, and tells them what we want: one call for all full copies of a sphere, of which there
 * may be thousands, in place of one for each.
 */
export class WantsAsker {
  readonly #deps: WantsAskerDeps;

  constructor(deps: WantsAskerDeps) {
    this.#deps = deps;
  }

  /** The torrents, and a call for all of a sphere where some of them are full copies. */
  *withSpheres(torrents: Iterable<DialTorrent>): Generator<DialTorrent> {
    const offering = new Set<SphereId>();
    for (const torrent of torrents) {
      if (torrent.appetite === 'lazy') offering.add(torrent.sphereId);
      yield torrent;
    }
    for (const sphereId of offering) {
      const nobody = { satisfied: new Map(), suspects: new Set<never>() };
      yield { sphereId, infoHash: sphereMark(sphereId), purpose: 'wants', appetite: 'lazy', ...nobody };
    }
  }

  /** We called: the answer is read. */
  ask(dialled: Dialled): void {
    const { stream } = dialled;
    // It may break before anybody reads.
    stream.on('error', () => undefined);
    this.#deps.spawn('ask what a member wants', async (signal) => {
      try {
        const infoHashes = await withinTime(this.#limit, signal, (limited) => receiveWants(stream, limited));
        this.#deps.onWants(dialled, infoHashes);
      } catch (error) {
        // It is asked again, as everybody is.
        this.#deps.log.debug('a member does not say what it wants', { code: errorCode(error) });
      } finally {
        stream.destroy();
      }
    });
  }

  /** We were called. What somebody who has all of it gives us already is no want. */
  async answer(stream: Duplex, sphereId: SphereId, signal: AbortSignal): Promise<void> {
    const wants: InfoHash[] = [];
    for (const torrent of this.#deps.active()) {
      const { spec, appetite } = torrent;
      const isWanted = spheresOf(spec).includes(sphereId) && appetite === 'eager' && !isServed(torrent);
      if (isWanted) wants.push(spec.infoHash);
    }
    await withinTime(this.#limit, signal, (limited) => sendWants(stream, wants, limited));
  }

  get #limit(): { clock: Clock; ms: number } {
    return { clock: this.#deps.clock, ms: EXCHANGE_MS };
  }
}
