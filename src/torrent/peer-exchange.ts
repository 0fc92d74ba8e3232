// BEP 11: Peer Exchange (2015), over BEP 10: Extension Protocol; compact lists as in BEP 23 and BEP 7
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import { addressBytes } from '../base/ip-address.ts';
import type { Bencoded } from './bencode/bencode.ts';
import { decode, encode, isDict } from './bencode/bencode.ts';
import { formatEndpoint, parseEndpoint } from './endpoint.ts';
import { compactPeers } from './tracker-answer.ts';

const EXTENDED = 20;
const HANDSHAKE = 0;
/** What we call the extension in our handshake. */
const OUR_ID = 1;
const NAME = 'ut_pex';
/** BEP 11: so many each way a message, of either family. */
const MOST_OF_LIST = 50;
const LARGEST_MESSAGE = 4096;
const EVERY_MS = 60_000;
/** Some programs' first two messages lie close together; after that the minute holds, with room for slow networks. */
const SOONEST_MS = 30_000;
const MOST_TOO_SOON = 5;
/** BEP 11, flags: it can be called. */
const REACHABLE = 0x10;

export interface ExchangeMessage {
  /** `host:port` */
  readonly added: readonly string[];
  readonly dropped: readonly string[];
}

/** Reads what a peer tells of others. Fails with `bad-input` for what no honest peer sends; more than fifty are left out. */
export function parseExchange(bytes: Uint8Array): ExchangeMessage {
  if (bytes.length > LARGEST_MESSAGE) throw new AppError('bad-input', 'a list of peers is too long');
  let message: Bencoded | null;
  try {
    message = decode(bytes);
  } catch (cause) {
    throw new AppError('bad-input', 'a list of peers is not bencode', {}, cause);
  }
  if (!isDict(message)) throw new AppError('bad-input', 'a list of peers is no dictionary');
  const both = (v4: Bencoded | undefined, v6: Bencoded | undefined): string[] =>
    [...compactPeers(v4, 4), ...compactPeers(v6, 16)].slice(0, MOST_OF_LIST);
  return {
    added: both(message['added'], message['added6']),
    dropped: both(message['dropped'], message['dropped6']),
  };
}

/** Lists are cut at fifty. What is no endpoint is left out. */
export function encodeExchange({ added, dropped }: ExchangeMessage): Uint8Array {
  const [plus, minus] = [compact(added.slice(0, MOST_OF_LIST)), compact(dropped.slice(0, MOST_OF_LIST))];
  return encode({
    added: plus.v4,
    'added.f': new Uint8Array(plus.v4.length / 6).fill(REACHABLE),
    added6: plus.v6,
    'added6.f': new Uint8Array(plus.v6.length / 18).fill(REACHABLE),
    dropped: minus.v4,
    dropped6: minus.v6,
  });
}

/** What the exchange needs of a connection. */
export interface ExchangeWire {
  /** Offers extensions by their numbers, and says `more` in the handshake of the Extension Protocol. */
  offer(mapping: Readonly<Record<number, string>>, more: Readonly<Record<string, unknown>>): void;
  /** Sends a whole message. */
  send(message: Uint8Array): void;
}

export interface PeerExchangeDeps {
  readonly clock: Clock;
  /** Where strangers reach us. */
  readonly port: number;
  /** Where this peer takes calls when it was we who called; null = it tells itself, or not at all. */
  readonly calledAt: string | null;
  /** The address this peer has. */
  readonly host: string;
  readonly onPeer: (endpoint: string) => void;
}

/** One stranger's connection: what it tells of others and what it is told. Members of spheres never have one. */
export class PeerExchange {
  readonly #deps: PeerExchangeDeps;
  #wire: ExchangeWire | null = null;
  #theirId = 0;
  #takesCallsAt: string | null;
  #told: ReadonlySet<string> = new Set();
  #toldMs = -Infinity;
  #heardMs = -Infinity;
  #tooSoon = 0;

  constructor(deps: PeerExchangeDeps) {
    this.#deps = deps;
    this.#takesCallsAt = deps.calledAt;
  }

  /** `host:port` at which others can call this peer; null = not known. */
  get endpoint(): string | null {
    return this.#takesCallsAt;
  }

  /** Offers the extension on a wire that offers none so far, before anything was said on it. */
  arm(wire: ExchangeWire): void {
    this.#wire = wire;
    wire.offer({ [OUR_ID]: NAME }, { p: this.#deps.port });
  }

  /** A message of the Extension Protocol came; a handshake is well-formed. Fails with `bad-input`. */
  receive(extension: number, bytes: Uint8Array): void {
    if (extension === HANDSHAKE) this.#greeted(bytes);
    else if (extension === OUR_ID) this.#heard(bytes);
  }

  /** Tells who came and who left since the last time, at most once a minute; `connected` are endpoints that can be called. */
  tell(connected: Iterable<string>): void {
    const nowMs = this.#deps.clock.monotonic();
    if (this.#theirId === 0 || nowMs - this.#toldMs < EVERY_MS) return;
    const now = new Set(Array.from(connected).filter((endpoint) => endpoint !== this.#takesCallsAt));
    const added = Array.from(now.difference(this.#told)).slice(0, MOST_OF_LIST);
    const dropped = Array.from(this.#told.difference(now)).slice(0, MOST_OF_LIST);
    if (added.length + dropped.length === 0) return;
    this.#told = this.#told.union(new Set(added)).difference(new Set(dropped));
    this.#toldMs = nowMs;
    this.#wire?.send(extendedMessage(this.#theirId, encodeExchange({ added, dropped })));
  }

  /** Bytes were found to be a well-formed handshake. */
  #greeted(bytes: Uint8Array): void {
    const handshake = decode(bytes);
    if (!isDict(handshake)) return;
    const { m: mapping, p: port } = handshake;
    const id = isDict(mapping) ? mapping[NAME] : undefined;
    // BEP 10: zero takes the extension back.
    if (typeof id === 'number' && id >= 0 && id <= 255) this.#theirId = id;
    if (typeof port !== 'number' || port < 1 || port > 65_535) return;
    this.#takesCallsAt ??= formatEndpoint(this.#deps.host, port);
  }

  #heard(bytes: Uint8Array): void {
    const nowMs = this.#deps.clock.monotonic();
    const isTooSoon = nowMs - this.#heardMs < SOONEST_MS;
    this.#heardMs = nowMs;
    if (isTooSoon) {
      this.#tooSoon += 1;
      if (this.#tooSoon > MOST_TOO_SOON) throw new AppError('bad-input', 'peer tells of others too often');
    }
    const { added } = parseExchange(bytes);
    if (this.#tooSoon < 2 || !isTooSoon) for (const endpoint of added) this.#deps.onPeer(endpoint);
  }
}

function extendedMessage(id: number, payload: Uint8Array): Uint8Array {
  const message = Buffer.alloc(6 + payload.length);
  message.writeUInt32BE(2 + payload.length, 0);
  message[4] = EXTENDED;
  message[5] = id;
  message.set(payload, 6);
  return message;
}

function compact(endpoints: readonly string[]): { readonly v4: Uint8Array; readonly v6: Uint8Array } {
  const lists: { v4: number[]; v6: number[] } = { v4: [], v6: [] };
  for (const text of endpoints) {
    const endpoint = parseEndpoint(text);
    if (endpoint === undefined) continue;
    const port = [endpoint.port >> 8, endpoint.port & 0xff];
    if (endpoint.host.includes(':')) lists.v6.push(...(addressBytes(endpoint.host) ?? []), ...port);
    else lists.v4.push(...endpoint.host.split('.').map(Number), ...port);
  }
  return { v4: Uint8Array.from(lists.v4), v6: Uint8Array.from(lists.v6) };
}
