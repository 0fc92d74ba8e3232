// BEP 5: DHT protocol (2020), BEP 43: read-only nodes (2016), BEP 20 for the client's letters
import { equalBytes, toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { Bencoded, BencodedDict } from '../bencode/bencode.ts';
import { decode, encode, isDict } from '../bencode/bencode.ts';
import type { Endpoint } from '../endpoint.ts';
import { parseEndpoint } from '../endpoint.ts';
import { compactPeers } from '../tracker-answer.ts';

export const ID_BYTES = 20;
/** What is longer was not sent by any node that keeps within one packet of the internet. */
export const LARGEST_DATAGRAM = 2048;
export const TRANSACTION_BYTES = 4;
const LONGEST_TOKEN = 128;
/** A bucket holds eight; some nodes give two. */
const MOST_NODES = 16;
const MOST_PEERS = 50;
const NODE_BYTES = ID_BYTES + 6;
const VERSION = toUtf8('SC\u0000\u0001');

export interface DhtContact extends Endpoint {
  /** 20 bytes. */
  readonly id: Uint8Array;
}

/** Hashes and tokens are bytes; the port is the one strangers reach the torrent at. */
export type DhtQuery =
  | { readonly method: 'get_peers'; readonly infoHash: Uint8Array }
  | {
      readonly method: 'announce_peer';
      readonly infoHash: Uint8Array;
      readonly token: Uint8Array;
      readonly port: number;
    };

export interface DhtReply {
  readonly id: Uint8Array;
  readonly nodes: readonly DhtContact[];
  /** `host:port`, as strangers say it. */
  readonly peers: readonly string[];
  /** null = this node takes no announces. */
  readonly token: Uint8Array | null;
}

/** What came: an answer or a refusal, by the number of the question. Questions are not for us. */
export type DhtMessage =
  | { readonly kind: 'reply'; readonly transaction: Uint8Array; readonly reply: DhtReply }
  | { readonly kind: 'refusal'; readonly transaction: Uint8Array }
  | { readonly kind: 'question' };

/** A question by a node that answers none: `ro` says so, and nobody keeps us in a table. */
export function encodeQuery(transaction: Uint8Array, ownId: Uint8Array, query: DhtQuery): Uint8Array {
  const hash = { id: ownId, info_hash: query.infoHash };
  const more = query.method === 'announce_peer' ? { implied_port: 0, port: query.port, token: query.token } : {};
  return encode({ a: { ...hash, ...more }, q: query.method, ro: 1, t: transaction, v: VERSION, y: 'q' });
}

/** Fails with `bad-input` for what is no message of the DHT. */
export function parseMessage(datagram: Uint8Array): DhtMessage {
  if (datagram.length > LARGEST_DATAGRAM) throw bad('is too long');
  let message: Bencoded | null;
  try {
    message = decode(datagram);
  } catch (cause) {
    throw new AppError('bad-input', 'a message of the DHT is not bencode', {}, cause);
  }
  if (!isDict(message)) throw bad('is no dictionary');
  const kind = message['y'];
  if (isByte(kind, 'q')) return { kind: 'question' };
  const transaction = message['t'];
  if (!(transaction instanceof Uint8Array) || transaction.length !== TRANSACTION_BYTES) throw bad('answers nothing');
  if (isByte(kind, 'e')) return { kind: 'refusal', transaction };
  if (!isByte(kind, 'r')) throw bad('is of no kind');
  const reply = message['r'];
  if (!isDict(reply)) throw bad('says nothing');
  return { kind: 'reply', transaction, reply: readReply(reply) };
}

function readReply(reply: BencodedDict): DhtReply {
  const { id, nodes, values, token } = reply;
  if (!(id instanceof Uint8Array) || id.length !== ID_BYTES) throw bad('has no id');
  const isToken = token instanceof Uint8Array && token.length > 0 && token.length <= LONGEST_TOKEN;
  return { id, nodes: readNodes(nodes), peers: readPeers(values), token: isToken ? token : null };
}

function readNodes(value: Bencoded | undefined): DhtContact[] {
  if (!(value instanceof Uint8Array) || value.length % NODE_BYTES !== 0) return [];
  const count = Math.min(MOST_NODES, value.length / NODE_BYTES);
  return Array.from({ length: count }, (_, index) =>
    value.subarray(index * NODE_BYTES, (index + 1) * NODE_BYTES),
  ).flatMap((node) => {
    const [text] = compactPeers(node.slice(ID_BYTES), 4);
    const endpoint = text === undefined ? undefined : parseEndpoint(text);
    return endpoint === undefined ? [] : [{ id: node.slice(0, ID_BYTES), ...endpoint }];
  });
}

/** BEP 32 gives those of IPv6 in the same list, 18 bytes each. */
function readPeers(values: Bencoded | undefined): string[] {
  if (!Array.isArray(values)) return [];
  return values
    .slice(0, MOST_PEERS)
    .flatMap((value) => [...compactPeers(ofLength(value, 6), 4), ...compactPeers(ofLength(value, 18), 16)]);
}

const ofLength = (value: Bencoded, length: number): Bencoded | undefined =>
  value instanceof Uint8Array && value.length === length ? value : undefined;

const isByte = (value: Bencoded | undefined, letter: string): boolean =>
  value instanceof Uint8Array && equalBytes(value, toUtf8(letter));

function bad(what: string): AppError {
  return new AppError('bad-input', `a message of the DHT ${what}`);
}
