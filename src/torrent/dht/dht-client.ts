// BEP 5: DHT protocol (2020), BEP 43: read-only nodes (2016)
import type { Clock } from '../../base/clock.ts';
import { AppError } from '../../base/errors.ts';
import { toHex } from '../../base/bytes.ts';
import type { RandomBytes } from '../../base/random.ts';
import { untilAborted } from '../../base/until-aborted.ts';
import { withinTime } from '../../base/within-time.ts';
import type { Endpoint } from '../endpoint.ts';
import { formatEndpoint } from '../endpoint.ts';
import type { AddressPolicy } from '../internet-address.ts';
import type { DhtContact, DhtQuery, DhtReply } from './krpc.ts';
import { encodeQuery, ID_BYTES, parseMessage, TRANSACTION_BYTES } from './krpc.ts';
import { Shortlist } from './shortlist.ts';

const ANSWER_MS = 3_000;
/** Questions of one search that are under way at once. */
const AT_ONCE = 4;
/** A search that has not come to an end by then is led about. */
const MOST_ASKED = 100;
const SEARCH_MS = 45_000;
const MOST_PEERS_OF_SEARCH = 300;
const ANNOUNCED_TO = 8;
/** Nodes that answered, for the next search. */
const MOST_KNOWN = 200;

export interface DhtClientDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly policy: AddressPolicy;
  /** Rejects where nothing may or can be sent. */
  readonly send: (datagram: Uint8Array, to: Endpoint, signal: AbortSignal) => Promise<void>;
}

export interface DhtSearch {
  /** 20 bytes. */
  readonly infoHash: Uint8Array;
  /** Where strangers reach us; 0 = nowhere, and nothing is announced. */
  readonly port: number;
  /** Whom to ask where no other node is known. */
  readonly entrances: readonly Endpoint[];
  /** `host:port`, once each. */
  readonly onPeer: (endpoint: string) => void;
}

interface Waiting {
  readonly from: string;
  readonly heard: PromiseWithResolvers<DhtReply>;
}

/**
 * Asks the DHT who shares a torrent, and tells it that we do. It answers nobody and says so in each question: no stranger
 * can make it send anything, and it keeps nothing for them.
 */
export class DhtClient {
  readonly #deps: DhtClientDeps;
  readonly #id: Uint8Array;
  readonly #waiting = new Map<string, Waiting>();
  /** By endpoint, those that answered last at the end. */
  readonly #known = new Map<string, DhtContact>();

  constructor(deps: DhtClientDeps) {
    this.#deps = deps;
    this.#id = deps.random(ID_BYTES);
  }

  /** Nodes that answered, the last one first. */
  get known(): readonly DhtContact[] {
    return Array.from(this.#known.values()).toReversed();
  }

  /** A datagram came. What nobody waits for is dropped, whoever says it. */
  receive(datagram: Uint8Array, from: Endpoint): void {
    let message;
    try {
      message = parseMessage(datagram);
    } catch {
      return;
    }
    if (message.kind === 'question') return;
    const transaction = toHex(message.transaction);
    const waiting = this.#waiting.get(transaction);
    if (waiting?.from !== formatEndpoint(from.host, from.port)) return;
    this.#waiting.delete(transaction);
    if (message.kind === 'reply') waiting.heard.resolve(message.reply);
    else waiting.heard.reject(new AppError('not-allowed', 'a node of the DHT refuses'));
  }

  /** Goes from node to node until the nearest ones were asked, then announces to these; resolves with how many took it. */
  async search(search: DhtSearch, signal: AbortSignal): Promise<number> {
    const list = new Shortlist(search.infoHash);
    for (const contact of this.#known.values()) list.add(contact);
    const peers = new Set<string>();
    const onReply = (contact: Endpoint, reply: DhtReply): void => {
      list.answered({ ...contact, id: reply.id }, reply.token);
      this.#remember({ ...contact, id: reply.id });
      for (const node of reply.nodes) if (this.#deps.policy(node.host)) list.add(node);
      for (const peer of reply.peers) {
        if (peers.has(peer) || peers.size >= MOST_PEERS_OF_SEARCH) continue;
        peers.add(peer);
        search.onPeer(peer);
      }
    };
    const question: DhtQuery = { method: 'get_peers', infoHash: search.infoHash };
    let asked = 0;
    const endMs = this.#deps.clock.monotonic() + SEARCH_MS;
    const entrances = [...search.entrances];
    const walk = async (): Promise<void> => {
      while (asked < MOST_ASKED && this.#deps.clock.monotonic() < endMs) {
        const contact = list.next() ?? (list.isPoor ? entrances.shift() : undefined);
        if (contact === undefined) return;
        asked += 1;
        try {
          onReply(contact, await this.#ask(contact, question, signal));
        } catch {
          signal.throwIfAborted();
          list.failed(contact);
          this.#known.delete(formatEndpoint(contact.host, contact.port));
        }
      }
    };
    // Whoever finds nothing to ask may find it when another has been answered.
    for (let before = -1; before !== asked;) {
      before = asked;
      await Promise.all(Array.from({ length: AT_ONCE }, walk));
    }
    return search.port === 0 ? 0 : this.#announce(search, list, signal);
  }

  async #announce({ infoHash, port }: DhtSearch, list: Shortlist, signal: AbortSignal): Promise<number> {
    const told = await Promise.allSettled(
      list
        .nearest(ANNOUNCED_TO)
        .map(({ contact, token }) => this.#ask(contact, { method: 'announce_peer', infoHash, port, token }, signal)),
    );
    signal.throwIfAborted();
    return told.filter(({ status }) => status === 'fulfilled').length;
  }

  async #ask(to: Endpoint, query: DhtQuery, signal: AbortSignal): Promise<DhtReply> {
    const { clock, random, send } = this.#deps;
    const transaction = random(TRANSACTION_BYTES);
    const key = toHex(transaction);
    const heard = Promise.withResolvers<DhtReply>();
    heard.promise.catch(() => undefined);
    this.#waiting.set(key, { from: formatEndpoint(to.host, to.port), heard });
    try {
      await send(encodeQuery(transaction, this.#id, query), to, signal);
      const limit = { clock, ms: ANSWER_MS };
      return await withinTime(limit, signal, (limited) => Promise.race([heard.promise, untilAborted(limited)]));
    } finally {
      this.#waiting.delete(key);
    }
  }

  #remember(contact: DhtContact): void {
    const key = formatEndpoint(contact.host, contact.port);
    this.#known.delete(key);
    this.#known.set(key, contact);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }
}
