// BEP 3: tracker protocol
import { toHex } from '../base/bytes.ts';
import type { InfoHash } from '../base/id.ts';
import { parseInfoHash } from '../base/id.ts';
import type { Endpoint } from './endpoint.ts';
import { parseEndpoint } from './endpoint.ts';

/** What a program says of itself when it announces. */
export interface TrackerQuestion {
  readonly infoHash: InfoHash;
  /** Where it may be called; 0 = nowhere. */
  readonly port: number;
  /** It takes part no more. */
  readonly isParting: boolean;
  /** By which address of ours it asks; undefined where it says none. */
  readonly asked: Endpoint | undefined;
}

const REQUEST = /^GET \/announce\?([!-~]{1,2000}) HTTP\/1\.[01]$/;
const HOST = /^host:[ \t]*(\S+)[ \t]*$/i;
const HASH_BYTES = 20;

/** Reads the head of an HTTP request; undefined for everything but an announcement. */
export function parseTrackerQuestion(head: Uint8Array): TrackerQuestion | undefined {
  const [request = '', ...headers] = Buffer.from(head).toString('latin1').split('\r\n');
  const query = REQUEST.exec(request)?.[1];
  if (query === undefined) return undefined;
  const values = new Map(query.split('&').map((pair) => splitPair(pair)));
  const hash = percentDecode(values.get('info_hash') ?? '');
  const port = values.get('port') ?? '';
  if (hash?.length !== HASH_BYTES || !/^\d{1,5}$/.test(port) || Number(port) > 65_535) return undefined;
  const host = headers.map((line) => HOST.exec(line)?.[1]).find((value) => value !== undefined);
  return {
    infoHash: parseInfoHash(toHex(hash)),
    port: Number(port),
    isParting: values.get('event') === 'stopped',
    asked: parseEndpoint(host ?? ''),
  };
}

function splitPair(pair: string): [string, string] {
  const at = pair.indexOf('=');
  return at === -1 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
}

/** The bytes, which need not be text. */
function percentDecode(text: string): Uint8Array | undefined {
  if (/%(?![0-9a-f]{2})/i.test(text)) return undefined;
  const decoded = text.replace(/%(..)/g, (_whole, digits: string) => String.fromCharCode(parseInt(digits, 16)));
  return new Uint8Array(Buffer.from(decoded, 'latin1'));
}
