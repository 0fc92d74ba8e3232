// BEP 3: tracker protocol, BEP 7: IPv6, BEP 23: compact peer lists
import type { Agent } from 'node:http';
import http from 'node:http';
import https from 'node:https';
import type { LookupFunction } from 'node:net';
import { toHex } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { Bencoded } from './bencode/bencode.ts';
import { decodeCanonical, isDict } from './bencode/bencode.ts';
import { formatEndpoint } from './endpoint.ts';

const LARGEST_ANSWER = 64 * 1024;
const INTERVAL_MS = 5 * 60_000;
export const PEERS_WANTED = 50;

/** As the query of a tracker holds bytes. */
export function percentEncode(hex: string): string {
  return hex.replace(/../g, '%$&');
}

interface FetchOptions {
  readonly agent: Agent | false;
  /** How a name becomes an address; the system's way when left out. */
  readonly lookup?: LookupFunction;
  readonly localAddress?: string;
}

/** The body of a 200 answer of bounded size; redirects are not followed. */
export function fetchAnswer(url: string, options: FetchOptions, signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => {
      // The other end may have let go of a kept connection at this very moment.
      if (request.reusedSocket && !signal.aborted) resolve(fetchAnswer(url, { ...options, agent: false }, signal));
      else reject(new AppError('disconnected', 'tracker cannot be reached', {}, cause));
    };
    const get = url.startsWith('https:') ? https.get : http.get;
    const request = get(url, { ...options, signal }, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      if (response.statusCode !== 200) {
        request.destroy(new Error(`status ${response.statusCode}`));
        return;
      }
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        chunks.push(chunk);
        if (length > LARGEST_ANSWER) request.destroy(new Error('answer is too long'));
      });
      response.on('end', () => resolve(Buffer.concat(chunks)));
      response.on('error', fail);
    });
    request.on('error', fail);
  });
}

/** Fails with `bad-input` when the answer is not an announce response. */
export function parseAnswer(body: Uint8Array): { intervalMs: number; peers: string[] } {
  let answer: Bencoded;
  try {
    answer = decodeCanonical(body, LARGEST_ANSWER);
  } catch (error) {
    throw new AppError('bad-input', 'tracker answer is not bencode', {}, error);
  }
  if (!isDict(answer)) throw new AppError('bad-input', 'tracker answer is not a dictionary');
  if (answer['failure reason'] !== undefined) throw new AppError('not-allowed', 'tracker refused the announce');
  const { interval, peers, peers6 } = answer as Partial<Record<string, Bencoded>>;
  return {
    intervalMs: typeof interval === 'number' ? Math.min(Math.max(interval, 0) * 1000, 3_600_000) : INTERVAL_MS,
    peers: [...compactPeers(peers, 4), ...compactPeers(peers6, 16)].slice(0, PEERS_WANTED),
  };
}

export function compactPeers(value: Bencoded | undefined, addressBytes: 4 | 16): string[] {
  if (!(value instanceof Uint8Array) || value.length % (addressBytes + 2) !== 0) return [];
  const endpoints: string[] = [];
  for (let offset = 0; offset < value.length; offset += addressBytes + 2) {
    const address = value.subarray(offset, offset + addressBytes);
    const port = (value[offset + addressBytes] ?? 0) * 256 + (value[offset + addressBytes + 1] ?? 0);
    if (port > 0) endpoints.push(formatEndpoint(addressText(address), port));
  }
  return endpoints;
}

function addressText(address: Uint8Array): string {
  if (address.length === 4) return address.join('.');
  const groups = toHex(address).match(/.{4}/g) ?? [];
  return groups.join(':');
}
