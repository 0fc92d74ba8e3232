// BEP 3: tracker protocol, BEP 7: IPv6, BEP 23: compact peer lists
import type { Clock } from '../base/clock.ts';
import { concatBytes, toUtf8 } from '../base/bytes.ts';
import type { InfoHash } from '../base/id.ts';
import { addressBytes, householdOf } from '../base/ip-address.ts';
import { RecentMap } from '../base/recent-map.ts';
import { encode } from './bencode/bencode.ts';
import type { Endpoint } from './endpoint.ts';
import { formatEndpoint, parseEndpoint } from './endpoint.ts';
import { PEERS_WANTED } from './tracker-answer.ts';
import type { TrackerQuestion } from './tracker-question.ts';

const INTERVAL_SECONDS = 120;
/** Some programs come back later than they were asked to. */
const LIFETIME_MS = 30 * 60_000;
const MOST_PEERS = 200;
/** Of one household: whoever makes ports up crowds out only its own. */
const MOST_PEERS_OF_HOUSEHOLD = 16;

/**
 * The tracker of items that are open to other programs: names them to one another, and this computer to all. It knows the
 * items that are open and nothing of any other.
 */
export class OpenedTracker {
  readonly #clock: Clock;
  /** Endpoints with when they were heard of last, monotonic. */
  readonly #peers = new Map<InfoHash, RecentMap<string, number>>();

  constructor(deps: { readonly clock: Clock }) {
    this.#clock = deps.clock;
  }

  /** The whole HTTP answer to one who asks from `host`; `ours` is where we are for that program. */
  answer({ infoHash, port, isParting }: TrackerQuestion, host: string, ours: Endpoint): Uint8Array {
    const peers = this.#peers.get(infoHash) ?? new RecentMap<string, number>(MOST_PEERS);
    this.#peers.set(infoHash, peers);
    const asker = formatEndpoint(host, port);
    const others = this.#alive(peers).filter((endpoint) => endpoint !== asker);
    if (isParting) peers.delete(asker);
    else if (port > 0) this.#note(peers, asker, host);
    return response([ours, ...others.flatMap((endpoint) => parseEndpoint(endpoint) ?? [])].slice(0, PEERS_WANTED));
  }

  /** Forgets whoever announced anything else. */
  keepOnly(infoHashes: ReadonlySet<InfoHash>): void {
    for (const infoHash of this.#peers.keys()) if (!infoHashes.has(infoHash)) this.#peers.delete(infoHash);
  }

  #note(peers: RecentMap<string, number>, asker: string, host: string): void {
    const household = householdOf(host);
    const own = Array.from(peers, ([endpoint]) => endpoint).filter((endpoint) => {
      return endpoint !== asker && householdOf(parseEndpoint(endpoint)?.host ?? '') === household;
    });
    const [oldest] = own;
    if (oldest !== undefined && own.length >= MOST_PEERS_OF_HOUSEHOLD) peers.delete(oldest);
    peers.set(asker, this.#clock.monotonic());
  }

  /** The newest first. */
  #alive(peers: RecentMap<string, number>): string[] {
    const sinceMs = this.#clock.monotonic() - LIFETIME_MS;
    return Array.from(peers)
      .filter(([, heardMs]) => heardMs > sinceMs)
      .map(([endpoint]) => endpoint)
      .toReversed();
  }
}

function response(endpoints: readonly Endpoint[]): Uint8Array {
  const compact = endpoints.flatMap(({ host, port }) => {
    const address = addressBytes(host);
    if (address === undefined) return [];
    const is4 = !host.includes(':');
    const bytes = concatBytes(is4 ? address.subarray(12) : address, Uint8Array.of(port >> 8, port & 0xff));
    return [{ is4, bytes }];
  });
  const [four = [], six = []] = [true, false].map((is4) => compact.filter((one) => one.is4 === is4));
  const body = encode({
    interval: INTERVAL_SECONDS,
    peers: concatBytes(...four.map(({ bytes }) => bytes)),
    peers6: concatBytes(...six.map(({ bytes }) => bytes)),
  });
  const head = `HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
  return concatBytes(toUtf8(head), body);
}
