// BEP 5: DHT protocol (2020)
import { fromHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { errorCode } from '../base/errors.ts';
import type { InfoHash } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import type { RandomBytes } from '../base/random.ts';
import { randomFraction } from '../base/random.ts';
import { untilAborted } from '../base/until-aborted.ts';
import { Datagrams } from '../torrent/dht/datagrams.ts';
import { DhtClient } from '../torrent/dht/dht-client.ts';
import type { Endpoint } from '../torrent/endpoint.ts';
import type { Resolve } from '../torrent/guarded-lookup.ts';
import { allowedAddresses } from '../torrent/guarded-lookup.ts';
import type { AddressPolicy } from '../torrent/internet-address.ts';

/** BEP 5: nodes forget an announce after about half an hour. */
const AGAIN_MS = 15 * 60_000;
/** While nobody has been found. */
const SOON_MS = 60_000;
/** Torrents begin one after the other, and each in its own turn. */
const SPREAD = 0.2;
const MOST_ENTRANCES = 16;

export interface PublicDhtDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  readonly policy: AddressPolicy;
  readonly resolve: Resolve;
  /** Those we listen on; none = all. */
  readonly addresses: readonly string[];
}

export interface SoughtTorrent {
  readonly infoHash: InfoHash;
  /** Where strangers reach us, read anew at each search. */
  readonly port: () => number;
  /** `host:port` by which the DHT is entered: names and addresses of IPv4. */
  readonly entrances: readonly string[];
  readonly onPeer: (endpoint: string) => void;
}

interface Open {
  readonly datagrams: Datagrams;
  readonly client: DhtClient;
}

/** Public torrents in the DHT. Its port is open only as long as one of them is sought. */
export class PublicDht {
  readonly #deps: PublicDhtDeps;
  /** One search after the other. */
  readonly #turns = new SerialQueue();
  readonly #changes = new SerialQueue();
  #open: Open | null = null;
  #seekers = 0;

  constructor(deps: PublicDhtDeps) {
    this.#deps = deps;
  }

  /** Of the datagrams; 0 while nothing is sought. */
  get port(): number {
    return this.#open?.datagrams.port ?? 0;
  }

  /** Seeks and announces again and again, until the signal ends it. */
  async seek(torrent: SoughtTorrent, signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#deps;
    this.#seekers += 1;
    try {
      for (;;) {
        let found = 0;
        const onPeer = (endpoint: string): void => {
          found += 1;
          torrent.onPeer(endpoint);
        };
        try {
          const turn = this.#turns.run(() => this.#search({ ...torrent, onPeer }, signal));
          await Promise.race([turn, untilAborted(signal)]);
        } catch (error) {
          signal.throwIfAborted();
          log.debug('DHT search failed', { code: errorCode(error) });
        }
        const pauseMs = found > 0 ? AGAIN_MS : SOON_MS;
        await clock.sleep(pauseMs * (1 - SPREAD * randomFraction(random)), signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.#seekers -= 1;
      await this.#changes.run(() => this.#closeUnused());
    }
  }

  async #search(torrent: SoughtTorrent, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { client } = await this.#changes.run(() => this.#use());
    const entrances = client.known.length >= MOST_ENTRANCES ? [] : await this.#places(torrent.entrances);
    signal.throwIfAborted();
    const { onPeer, port } = torrent;
    const infoHash = fromHex(torrent.infoHash) ?? new Uint8Array();
    const told = await client.search({ infoHash, port: port(), entrances, onPeer }, signal);
    this.#deps.log.debug('DHT searched', { nodes: client.known.length, told });
  }

  async #use(): Promise<Open> {
    if (this.#open !== null) return this.#open;
    const { clock, random, policy, addresses } = this.#deps;
    const datagrams = await Datagrams.open({
      clock,
      policy,
      addresses,
      onDatagram: (datagram, from) => client.receive(datagram, from),
    });
    const client = new DhtClient({ clock, random, policy, send: (...sent) => datagrams.send(...sent) });
    this.#open = { datagrams, client };
    return this.#open;
  }

  async #closeUnused(): Promise<void> {
    if (this.#seekers > 0) return;
    const open = this.#open;
    this.#open = null;
    await open?.datagrams[Symbol.asyncDispose]();
  }

  /** Where names lead that may be called; one that leads nowhere is left out. */
  async #places(entrances: readonly string[]): Promise<Endpoint[]> {
    const looked = await Promise.allSettled(
      entrances.slice(0, MOST_ENTRANCES).map(async (entrance) => {
        const at = entrance.lastIndexOf(':');
        const found = await allowedAddresses(entrance.slice(0, at), this.#deps);
        const own = found.find(({ family }) => family === 4);
        return own === undefined ? [] : [{ host: own.address, port: Number(entrance.slice(at + 1)) }];
      }),
    );
    return looked.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
  }
}
