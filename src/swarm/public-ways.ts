import type { Duplex } from 'node:stream';
import type { InfoHash } from '../base/id.ts';
import { householdOf } from '../base/ip-address.ts';
import { Scope } from '../base/scope.ts';
import type { Finding, FoundBy } from '../contract/finding.ts';
import { NO_FINDING } from '../contract/finding.ts';
import { parseEndpoint } from '../torrent/endpoint.ts';
import { PeerExchange } from '../torrent/peer-exchange.ts';
import type { PublicMetainfo } from '../torrent/public-metainfo.ts';
import type { PublicDhtDeps } from './public-dht.ts';
import { PublicDht } from './public-dht.ts';

interface Way {
  readonly metainfo: PublicMetainfo;
  /** Says whether it was new. */
  readonly onPeer: (endpoint: string, source: string) => boolean;
  readonly found: Record<keyof FoundBy, number>;
  readonly exchanges: Set<PeerExchange>;
  /** Seeking in the DHT, as long as that is wanted. */
  seeking: Scope | null;
}

export interface PublicWaysDeps extends PublicDhtDeps {
  /** Where strangers reach us. */
  readonly port: () => number;
}

/**
 * How strangers who share public torrents are found beside their trackers, where the person allows it and the torrent does
 * not forbid it. It is told of public torrents only.
 */
export class PublicWays implements AsyncDisposable {
  readonly #deps: PublicWaysDeps;
  readonly #dht: PublicDht;
  readonly #ways = new Map<InfoHash, Way>();
  readonly #scope: Scope;
  #finding: Finding = NO_FINDING;

  constructor(deps: PublicWaysDeps) {
    this.#deps = deps;
    this.#dht = new PublicDht(deps);
    this.#scope = new Scope({ log: deps.log });
  }

  get dhtPort(): number {
    return this.#dht.port;
  }

  /** What runs by other rules ends now; a tick begins it anew. */
  set(finding: Finding): void {
    const before = this.#finding;
    this.#finding = finding;
    const isSame = before.dht === finding.dht && before.dhtNodes.join() === finding.dhtNodes.join();
    for (const way of this.#ways.values()) {
      if (!finding.pex) way.exchanges.clear();
      if (!isSame) this.#endSeeking(way);
    }
  }

  add(metainfo: PublicMetainfo, onPeer: Way['onPeer']): void {
    const found = { trackers: 0, dht: 0, pex: 0 };
    this.#ways.set(metainfo.infoHash, { metainfo, onPeer, found, exchanges: new Set(), seeking: null });
  }

  async remove(infoHash: InfoHash): Promise<void> {
    const way = this.#ways.get(infoHash);
    this.#ways.delete(infoHash);
    await way?.seeking?.[Symbol.asyncDispose]();
  }

  /** `who`: which of several by whom strangers are found this way. */
  found(infoHash: InfoHash, by: keyof FoundBy, endpoint: string, who = ''): void {
    const way = this.#ways.get(infoHash);
    if (way?.onPeer(endpoint, `${by} ${who}`) === true) way.found[by] += 1;
  }

  foundBy(infoHash: InfoHash): FoundBy | null {
    const way = this.#ways.get(infoHash);
    return way === undefined ? null : { ...way.found };
  }

  /** Once a second; who takes no part is not sought for. */
  tick(infoHash: InfoHash, takesPart: boolean): void {
    const way = this.#ways.get(infoHash);
    if (way === undefined) return;
    const isWanted = takesPart && this.#finding.dht && !way.metainfo.isPrivate;
    if (isWanted && way.seeking === null) this.#beginSeeking(way);
    else if (!isWanted) this.#endSeeking(way);
    // An address of a network of our own is nothing to tell strangers.
    const callable = Array.from(way.exchanges).flatMap(({ endpoint }) => {
      return endpoint !== null && this.#deps.policy(parseEndpoint(endpoint)?.host ?? '') ? [endpoint] : [];
    });
    for (const exchange of way.exchanges) exchange.tell(callable);
  }

  /** What a new connection is told and heard of others, as long as it lasts; nothing where that is not wanted. */
  exchange(
    infoHash: InfoHash,
    stream: Duplex,
    from: { readonly address: string; readonly host: string; readonly weDialled: boolean },
  ): { exchange?: PeerExchange } {
    const way = this.#ways.get(infoHash);
    if (way === undefined || !this.#finding.pex || way.metainfo.isPrivate) return {};
    const exchange = new PeerExchange({
      clock: this.#deps.clock,
      port: this.#deps.port(),
      calledAt: from.weDialled ? from.address : null,
      host: from.host,
      onPeer: (endpoint) => {
        if (way.exchanges.has(exchange)) this.found(infoHash, 'pex', endpoint, householdOf(from.host));
      },
    });
    way.exchanges.add(exchange);
    stream.once('close', () => way.exchanges.delete(exchange));
    return { exchange };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.#ways.keys(), (infoHash) => this.remove(infoHash)));
    await this.#scope[Symbol.asyncDispose]();
  }

  #beginSeeking(way: Way): void {
    const { infoHash, nodes } = way.metainfo;
    const entrances = [...nodes, ...this.#finding.dhtNodes];
    way.seeking = new Scope({ log: this.#deps.log });
    way.seeking.spawn('seek in the DHT', (signal) =>
      this.#dht.seek(
        { infoHash, port: this.#deps.port, entrances, onPeer: (endpoint) => this.found(infoHash, 'dht', endpoint) },
        signal,
      ),
    );
  }

  #endSeeking(way: Way): void {
    const ending = way.seeking;
    way.seeking = null;
    if (ending !== null) this.#scope.spawn('stop seeking', async () => ending[Symbol.asyncDispose]());
  }
}
