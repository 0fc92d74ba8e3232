// BEP 3: metainfo files; BEP 27: private torrents
import { createHash } from 'node:crypto';
import type { InfoHash } from '../base/id.ts';
import { equalBytes, toHex, toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import { parseInfoHash } from '../base/id.ts';
import type { Bencoded, BencodedDict } from './bencode/bencode.ts';
import { decodeCanonical, encode, isDict } from './bencode/bencode.ts';

/** The geometry of a torrent: sizes in bytes, `pieces` the concatenated SHA-1 of every piece. */
export interface TorrentShape {
  readonly length: number;
  readonly pieceLength: number;
  readonly pieces: Uint8Array;
}

export interface Metainfo extends TorrentShape {
  readonly infoHash: InfoHash;
}

/** What the event that shared the item says about its metainfo. */
export interface ExpectedMetainfo {
  readonly infoHash: InfoHash;
  /** Of the whole metainfo; null where the caller has checked it. */
  readonly sha256: Uint8Array | null;
}

export const DIGEST_BYTES = 20;
const MIN_PIECE_LENGTH = 16 * 1024;
const MAX_PIECE_LENGTH = 64 * 1024 * 1024;
export const MAX_PIECES = 100_000;
const MAX_TORRENT_BYTES = 16 * 2 ** 40;
/** What an event may announce and members may send each other: room for all digests and the rest of the dictionary. */
export const MAX_METAINFO_BYTES = 2 * 1024 * 1024;
/** The one file of every sphere torrent: its real names travel in the encrypted manifest. */
const NEUTRAL_NAME = 'data';

const PREFIX = toUtf8('d4:info');
const SUFFIX = toUtf8('e');
const INFO_KEYS = ['length', 'name', 'piece length', 'pieces', 'private'];

export function pieceCount(shape: Pick<TorrentShape, 'length' | 'pieceLength'>): number {
  return Math.ceil(shape.length / shape.pieceLength);
}

/** Every piece is as long as the first, except the last one. */
export function pieceSize(shape: Pick<TorrentShape, 'length' | 'pieceLength'>, index: number): number {
  return Math.min(shape.pieceLength, shape.length - index * shape.pieceLength);
}

/** The metainfo of a sphere torrent: v1, private, one neutral file, no tracker. */
export function buildMetainfo(shape: TorrentShape): { metainfo: Uint8Array<ArrayBuffer>; infoHash: InfoHash } {
  checkShape(shape);
  const info = encode({
    length: shape.length,
    name: NEUTRAL_NAME,
    'piece length': shape.pieceLength,
    pieces: shape.pieces,
    private: 1,
  });
  return { metainfo: new Uint8Array(Buffer.concat([PREFIX, info, SUFFIX])), infoHash: hashInfo(info) };
}

/**
 * Reads the metainfo of a sphere torrent. Both digests are compared before a single byte is parsed, and only
 * the exact shape that `buildMetainfo` makes is accepted.
 */
export function parseMetainfo(metainfo: Uint8Array, expected: ExpectedMetainfo): Metainfo {
  if (metainfo.length > MAX_METAINFO_BYTES) {
    throw new AppError('invalid-torrent', 'metainfo is too large', { bytes: metainfo.length });
  }
  if (expected.sha256 !== null && !equalBytes(createHash('sha256').update(metainfo).digest(), expected.sha256)) {
    throw new AppError('invalid-torrent', 'metainfo differs from the one that was announced');
  }
  const head = metainfo.subarray(0, PREFIX.length);
  const info = metainfo.subarray(PREFIX.length, metainfo.length - SUFFIX.length);
  const tail = metainfo.subarray(metainfo.length - SUFFIX.length);
  if (!equalBytes(head, PREFIX) || !equalBytes(tail, SUFFIX) || hashInfo(info) !== expected.infoHash) {
    throw new AppError('invalid-torrent', 'metainfo has another info hash than the one that was announced');
  }
  const shape = readInfo(info);
  checkShape(shape);
  return { ...shape, infoHash: expected.infoHash };
}

function hashInfo(info: Uint8Array): InfoHash {
  return parseInfoHash(toHex(createHash('sha1').update(info).digest()));
}

function readInfo(bytes: Uint8Array): TorrentShape {
  const info = decodeInfo(bytes);
  const { length, name, pieces } = info as Partial<Record<string, Bencoded>>;
  const pieceLength = info['piece length'];
  const keys = Object.keys(info);
  if (keys.length !== INFO_KEYS.length || !INFO_KEYS.every((key, index) => keys[index] === key)) {
    throw new AppError('invalid-torrent', 'info dictionary has other keys than a sphere torrent', {
      keys: keys.length,
    });
  }
  if (!(name instanceof Uint8Array) || !equalBytes(name, toUtf8(NEUTRAL_NAME)) || info['private'] !== 1) {
    throw new AppError('invalid-torrent', 'not a private torrent of one neutral file');
  }
  if (typeof length !== 'number' || typeof pieceLength !== 'number' || !(pieces instanceof Uint8Array)) {
    throw new AppError('invalid-torrent', 'a value of the info dictionary has the wrong type');
  }
  return { length, pieceLength, pieces };
}

function decodeInfo(bytes: Uint8Array): BencodedDict {
  let value: Bencoded;
  try {
    value = decodeCanonical(bytes, MAX_METAINFO_BYTES);
  } catch (cause) {
    throw new AppError('invalid-torrent', 'info dictionary is not canonical bencode', {}, cause);
  }
  if (!isDict(value)) throw new AppError('invalid-torrent', 'info is not a dictionary');
  return value;
}

/** Refuses impossible and dangerous numbers, for torrents made here as well as for those received. */
export function checkGeometry({ length, pieceLength }: Pick<TorrentShape, 'length' | 'pieceLength'>): void {
  if (!Number.isSafeInteger(length) || length < 1 || length > MAX_TORRENT_BYTES) {
    throw new AppError('invalid-torrent', 'impossible length', { length });
  }
  const powerOfTwo = Number.isSafeInteger(pieceLength) && Number.isInteger(Math.log2(pieceLength));
  if (!powerOfTwo || pieceLength < MIN_PIECE_LENGTH || pieceLength > MAX_PIECE_LENGTH) {
    throw new AppError('invalid-torrent', 'impossible piece length', { pieceLength });
  }
  const count = pieceCount({ length, pieceLength });
  if (count > MAX_PIECES) throw new AppError('invalid-torrent', 'too many pieces', { count });
}

export function checkShape(shape: TorrentShape): void {
  checkGeometry(shape);
  const count = pieceCount(shape);
  if (shape.pieces.length !== count * DIGEST_BYTES) {
    throw new AppError('invalid-torrent', 'wrong number of piece digests', { count, bytes: shape.pieces.length });
  }
}
