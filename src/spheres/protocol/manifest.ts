import * as z from 'zod';
import { fromUtf8, toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import { decodeCanonical, encodeCanonical } from './canonical-json.ts';

/** The real tree of an item: inside the encrypted byte space, and beside the event when it is short. */

export const MAX_MANIFEST_FILES = 100_000;
/** Short names take 270 bytes a file. */
export const MAX_MANIFEST_BYTES = 48 * 1024 * 1024;
/** Up to here the manifest also travels beside its event. */
export const INLINE_MANIFEST_BYTES = 4096;
/** How much of a file's beginning and of its end is hashed; a shorter file is hashed whole by both. */
const EDGE_BYTES = 65_536;
const MAX_LEVELS = 16;
const MANIFEST_VERSION = 1;

const count = z.number().int().nonnegative();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** Names are checked here for what no system allows; making them safe for this disk is the receiver's work. */
const component = z
  .string()
  .min(1)
  .max(1024)
  .refine((name) => name !== '.' && name !== '..' && !/[/\\\0]/.test(name));

// Members stand in the order of their canonical form, so that nobody has to sort those of a hundred thousand files.

const probe = z.object({
  /** RFC 6381 names. */
  codecs: z.array(z.string().max(60)).max(32),
  container: z.string().max(40),
  durationMs: count.nullable(),
  height: count.nullable(),
  /** Byte ranges of the file that a player needs first. */
  index: z.array(z.object({ length: count, offset: count })).max(16),
  width: count.nullable(),
});

const file = z.object({
  bytes: count,
  headSha256: sha256,
  mtimeMs: count,
  path: z.array(component).min(1).max(MAX_LEVELS),
  probe: probe.nullable(),
  tailSha256: sha256,
  type: z.string().max(100),
});
/** What of a list says how its files are called. */
const pathsSchema = z.object({ files: z.array(file.pick({ path: true })) });
const manifestSchema = z.object({
  /** In the order of the byte space. */
  files: z.array(file).min(1).max(MAX_MANIFEST_FILES),
  v: z.literal(MANIFEST_VERSION),
});

export type FileProbe = z.output<typeof probe>;
export type ManifestFile = z.output<typeof file>;
/** A part of one file; `to` is exclusive. */
export interface FileRange {
  readonly from: number;
  readonly to: number;
}
export interface Manifest {
  readonly files: readonly ManifestFile[];
}

/** Canonical JSON; its length and SHA-256 stand in the item event. */
export function encodeManifest(manifest: Manifest): Uint8Array<ArrayBuffer> {
  const checked = check({ v: MANIFEST_VERSION, files: manifest.files });
  const bytes = encodeCanonical({ files: checked.files, v: MANIFEST_VERSION });
  if (bytes.length > MAX_MANIFEST_BYTES)
    throw new AppError('too-large', 'the list of files is too long', { bytes: bytes.length });
  return bytes;
}

/** Only call it after the bytes were compared with the SHA-256 in the event. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  return check(decodeCanonical(bytes, MAX_MANIFEST_BYTES));
}

/**
 * The first files of a long list, which is not read any further: what breaks a rule behind them is found when the whole
 * list is needed. Its bytes are compared before as those of `decodeManifest` are.
 */
export function decodeBeginning(bytes: Uint8Array, most: number): Manifest {
  return decodeManifest(toUtf8(beginningOf(bytes, most, Infinity)));
}

/** How the first files are called, those in the first `mostBytes` of the list: nothing else of it is checked, which takes long. */
export function decodePaths(bytes: Uint8Array, most: number, mostBytes: number): readonly (readonly string[])[] {
  return pathsSchema.parse(JSON.parse(beginningOf(bytes, most, mostBytes))).files.map(({ path }) => path);
}

function beginningOf(bytes: Uint8Array, most: number, mostBytes: number): string {
  const start = toUtf8('{"files":[').length;
  const text = fromUtf8(bytes.subarray(start, endOfObjects(bytes, start, most, mostBytes)));
  if (text === undefined) throw new AppError('bad-input', 'the list of files is not UTF-8');
  return `{"files":[${text}],"v":${MANIFEST_VERSION}}`;
}

/**
 * Behind the last of `most` objects from `start` on, or the one that `mostBytes` end in. Quotes, braces and backslashes are
 * no part of other letters in UTF-8.
 */
function endOfObjects(bytes: Uint8Array, start: number, most: number, mostBytes: number): number {
  const [quote, backslash, open, close] = ['"', '\\', '{', '}'].map((sign) => sign.charCodeAt(0));
  let isText = false;
  let depth = 0;
  let objects = 0;
  for (let at = start; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (isText && byte === backslash) at += 1;
    else if (byte === quote) isText = !isText;
    else if (!isText && byte === open) depth += 1;
    else if (!isText && byte === close) {
      depth -= 1;
      if (depth === 0) objects += 1;
      if (objects === most || (depth === 0 && at - start >= mostBytes)) return at + 1;
    }
  }
  throw new AppError('bad-input', 'the list of files is shorter than it was announced', { files: objects });
}

/** The parts of a file of `bytes` that `headSha256` and `tailSha256` cover; `to` is exclusive. */
export function edgeRanges(bytes: number): { readonly head: FileRange; readonly tail: FileRange } {
  const length = Math.min(EDGE_BYTES, bytes);
  return { head: { from: 0, to: length }, tail: { from: bytes - length, to: bytes } };
}

function check(value: unknown): Manifest {
  const parsed = manifestSchema.safeParse(value);
  if (!parsed.success) throw new AppError('bad-input', 'the list of files breaks a rule', {}, parsed.error);
  const paths = new Set(parsed.data.files.map((entry) => JSON.stringify(entry.path)));
  if (paths.size !== parsed.data.files.length) throw new AppError('bad-input', 'two files of the item have one path');
  return { files: parsed.data.files };
}
