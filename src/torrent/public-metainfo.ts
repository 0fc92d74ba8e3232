// BEP 3: metainfo files; BEP 5: nodes of the DHT; BEP 12: several trackers; BEP 27: private torrents; BEP 47: padding files; BEP 52: version 2
import { createHash } from 'node:crypto';
import { equalBytes, fromUtf8, toHex, toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { parseInfoHash } from '../base/id.ts';
import type { Bencoded, BencodedDict } from './bencode/bencode.ts';
import { decode, encode, isDict } from './bencode/bencode.ts';
import type { Metainfo } from './metainfo.ts';
import { checkShape, MAX_METAINFO_BYTES } from './metainfo.ts';

/** A file of a public torrent; names are as its maker wrote them and not safe for any disk. */
export interface PublicFile {
  readonly path: readonly string[];
  readonly length: number;
  /** In the torrent's byte space. */
  readonly offset: number;
}

/** What a .torrent file from elsewhere says. What no file covers of its byte space is zero padding. */
export interface PublicMetainfo extends Metainfo {
  readonly name: string;
  readonly root: 'file' | 'folder';
  readonly files: readonly PublicFile[];
  /** Each once, in the order of the file; those of kinds that are never called are left out. */
  readonly trackers: readonly string[];
  /** Its makers want it found by its trackers alone. */
  readonly isPrivate: boolean;
  /** Nodes of the DHT that its makers name, `host:port`. */
  readonly nodes: readonly string[];
}

/** As many as an item of a sphere may have. */
export const MAX_PUBLIC_FILES = 10_000;
const MAX_TRACKERS = 16;
const MAX_NODES = 16;
const MAX_HOST_CHARACTERS = 253;
const MAX_URL_CHARACTERS = 1000;
const MAX_NAME_CHARACTERS = 1024;
const MAX_DEPTH = 16;
/** BEP 47: among the letters of `attr`. */
const PADDING = 0x70;
const INFO = toUtf8('4:info');

/**
 * Reads a version 1 or hybrid .torrent file. Fails with `torrent-version-2` for one of version 2 alone, with `too-large`,
 * and with `invalid-torrent` for everything that an honest program would not have written.
 */
export function parsePublicMetainfo(bytes: Uint8Array): PublicMetainfo {
  if (bytes.length > MAX_METAINFO_BYTES) throw new AppError('too-large', 'the .torrent is too large');
  const torrent = decodeDict(bytes);
  const info = dict(torrent['info'], 'info');
  // BEP 52: a hybrid has the digests of version 1 too.
  if (info['pieces'] === undefined && info['meta version'] === 2) {
    throw new AppError('torrent-version-2', 'a torrent of version 2 alone');
  }
  const raw = encode(info);
  // The hash is of the bytes as they stand there, so they must be the ones that were read.
  if (!contains(bytes, raw)) throw invalid('its info dictionary is not canonical');
  const name = text(info['name.utf-8'] ?? info['name']);
  const files = readFiles(info, name);
  const last = files.at(-1);
  const shape = {
    length: (last?.offset ?? 0) + (last?.length ?? 0),
    pieceLength: number(info['piece length']),
    pieces: byteString(info['pieces']),
  };
  checkShape(shape);
  const stored = files.filter(({ isPadding }) => !isPadding);
  if (stored.length === 0) throw invalid('it has no file');
  return {
    ...shape,
    infoHash: parseInfoHash(toHex(createHash('sha1').update(raw).digest())),
    name,
    root: info['files'] === undefined ? 'file' : 'folder',
    files: stored.map(({ path, length, offset }) => ({ path, length, offset })),
    trackers: readTrackers(torrent),
    // Whatever is written there but a zero: a mistake must not show to everybody what was meant for few.
    isPrivate: info['private'] !== undefined && info['private'] !== 0,
    nodes: readNodes(torrent['nodes']),
  };
}

interface ListedFile extends PublicFile {
  readonly isPadding: boolean;
}

function readFiles(info: BencodedDict, name: string): ListedFile[] {
  const listed = info['files'];
  if (listed === undefined) return [{ path: [name], length: number(info['length']), offset: 0, isPadding: false }];
  if (!Array.isArray(listed) || listed.length === 0) throw invalid('its list of files is none');
  let offset = 0;
  const files = listed.map((entry): ListedFile => {
    const file = dict(entry, 'file');
    const length = number(file['length']);
    const attributes = file['attr'];
    const isPadding = attributes instanceof Uint8Array && attributes.includes(PADDING);
    const path = isPadding ? [] : readPath(file['path.utf-8'] ?? file['path']);
    const placed = { path, length, offset, isPadding };
    offset += length;
    if (!Number.isSafeInteger(offset)) throw invalid('it is longer than anything');
    return placed;
  });
  const count = files.filter(({ isPadding }) => !isPadding).length;
  if (count > MAX_PUBLIC_FILES) throw new AppError('too-large', 'the torrent has too many files', { count });
  return files;
}

function readPath(value: Bencoded | undefined): string[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > MAX_DEPTH) throw invalid('a file without a path');
  return value.map((part) => text(part));
}

/** BEP 12: a list of lists of addresses; BEP 3: one address. */
function readTrackers(torrent: BencodedDict): string[] {
  const tiers = torrent['announce-list'];
  const listed = Array.isArray(tiers) ? tiers.flat() : [];
  const all = listed.length > 0 ? listed : [torrent['announce']];
  const urls = all.flatMap((value) => (value instanceof Uint8Array ? (fromUtf8(value) ?? []) : []));
  return Array.from(new Set(urls.filter(isTrackerAddress))).slice(0, MAX_TRACKERS);
}

/** BEP 5: pairs of a host and a port. */
function readNodes(value: Bencoded | undefined): string[] {
  if (!Array.isArray(value)) return [];
  const named = value.slice(0, MAX_NODES).flatMap((pair) => {
    const [host, port] = Array.isArray(pair) ? pair : [];
    const name = host instanceof Uint8Array && host.length <= MAX_HOST_CHARACTERS ? fromUtf8(host) : undefined;
    const isHost = name !== undefined && /^[a-z0-9][a-z0-9.-]*$/i.test(name);
    return isHost && typeof port === 'number' && port >= 1 && port <= 65_535 ? [`${name}:${port}`] : [];
  });
  return Array.from(new Set(named));
}

function isTrackerAddress(url: string): boolean {
  return /^(?:https?|udp):\/\/[^\s]+$/.test(url) && url.length <= MAX_URL_CHARACTERS && URL.canParse(url);
}

function decodeDict(bytes: Uint8Array): BencodedDict {
  let value: Bencoded | null;
  try {
    value = decode(bytes);
  } catch (cause) {
    throw new AppError('invalid-torrent', 'the file is not bencode', {}, cause);
  }
  return dict(value ?? undefined, 'torrent');
}

function dict(value: Bencoded | undefined, what: string): BencodedDict {
  if (!isDict(value)) throw invalid(`${what} is not a dictionary`);
  return value;
}

function number(value: Bencoded | undefined): number {
  if (typeof value !== 'number' || value < 0) throw invalid('a length is none');
  return value;
}

function byteString(value: Bencoded | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw invalid('it has no digests');
  return value;
}

function text(value: Bencoded | undefined): string {
  const decoded = value instanceof Uint8Array ? fromUtf8(value) : undefined;
  if (decoded === undefined || decoded.length === 0 || decoded.length > MAX_NAME_CHARACTERS) {
    throw invalid('a name is no text');
  }
  return decoded;
}

function contains(bytes: Uint8Array, info: Uint8Array): boolean {
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = whole.indexOf(INFO); at !== -1; at = whole.indexOf(INFO, at + 1)) {
    const from = at + INFO.length;
    if (equalBytes(bytes.subarray(from, from + info.length), info)) return true;
  }
  return false;
}

function invalid(why: string): AppError {
  return new AppError('invalid-torrent', `not a usable torrent: ${why}`);
}
