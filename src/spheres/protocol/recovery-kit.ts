import { concatBytes, equalBytes, fromUtf8, toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { BareJid } from '../../base/id.ts';
import { parseBareJid } from '../../base/id.ts';
import { readLines, writeLines } from '../../base/line-code.ts';
import { ByteReader } from './byte-reader.ts';
import type { PersonSigningKey } from './keys.ts';
import { exportPkcs8, KEY_BYTES, sha256, signingKeyFromSeed } from './keys.ts';

/** What a person keeps on paper, and needs to be the same person on a computer that knows nothing of them. */
export interface RecoveryKit {
  readonly jid: BareJid;
  /** `host:port` instead of the domain's own records. */
  readonly server: string | null;
  readonly person: PersonSigningKey;
  /** 16 bytes; made with the kit, so that snapshots under it can be opened by the papers of today; nothing is sealed with it yet. */
  readonly recoveryKey: Uint8Array;
}

export const RECOVERY_KEY_BYTES = 16;
export const MAX_KIT_BYTES = 300;
const KIT_VERSION = 1;
const SUM_BYTES = 4;
/** In front of the signs where a camera reads them. */
const PREFIX = 'SPHERECAST:';

/** Version, address, server, the seed of the person key, the recovery key, and a sum over all of it. */
export function encodeKit({ jid, server, person, recoveryKey }: RecoveryKit): Uint8Array<ArrayBuffer> {
  if (recoveryKey.length !== RECOVERY_KEY_BYTES) throw new AppError('bad-input', 'a recovery key has 16 bytes');
  // RFC 8410: the seed is the end of the private key's encoding.
  const seed = exportPkcs8(person).slice(-KEY_BYTES);
  const content = concatBytes(Uint8Array.of(KIT_VERSION), text(jid), text(server ?? ''), seed, recoveryKey);
  const kit = concatBytes(content, sumOf(content));
  if (kit.length > MAX_KIT_BYTES) throw new AppError('too-large', 'the address is too long for a kit');
  return kit;
}

/** `kit-invalid` when something was read or typed wrongly. */
export function decodeKit(bytes: Uint8Array): RecoveryKit {
  try {
    const content = bytes.subarray(0, -SUM_BYTES);
    if (!equalBytes(sumOf(content), bytes.subarray(-SUM_BYTES))) throw new AppError('bad-input', 'the sum differs');
    const reader = new ByteReader(content);
    const version = reader.number(1);
    if (version !== KIT_VERSION) throw new AppError('bad-input', 'a kit of another version', { version });
    const jid = parseBareJid(readText(reader));
    const server = readText(reader);
    const person: PersonSigningKey = signingKeyFromSeed(reader.take(KEY_BYTES));
    const recoveryKey = reader.take(RECOVERY_KEY_BYTES);
    if (reader.remaining > 0) throw new AppError('bad-input', 'bytes behind the kit');
    return { jid, server: server === '' ? null : server, person, recoveryKey: Uint8Array.from(recoveryKey) };
  } catch (error) {
    throw new AppError('kit-invalid', 'this is not a recovery kit', {}, error);
  }
}

/** As lines for paper. */
export function kitLines(kit: RecoveryKit): string[] {
  return writeLines(encodeKit(kit));
}

/** As one text for a camera: a QR code holds such signs in the least space. */
export function kitCode(kit: RecoveryKit): string {
  return PREFIX + kitLines(kit).join('').replaceAll(' ', '');
}

/** Reads lines as they were typed, or what a camera read. */
export function readKit(typed: string): RecoveryKit {
  const signs = typed.trim().replace(/^spherecast:/i, '');
  const read = readLines(signs);
  if (read.kind === 'wrong') throw new AppError('kit-invalid', 'a line of the kit is wrong', { line: read.line });
  return decodeKit(read.bytes);
}

function text(value: string): Uint8Array {
  const bytes = toUtf8(value);
  if (bytes.length > 255) throw new AppError('too-large', 'the address is too long for a kit');
  return concatBytes(Uint8Array.of(bytes.length), bytes);
}

function readText(reader: ByteReader): string {
  const value = fromUtf8(reader.take(reader.number(1)));
  if (value === undefined) throw new AppError('bad-input', 'not UTF-8');
  return value;
}

function sumOf(content: Uint8Array): Uint8Array {
  return sha256(toUtf8('spherecast-kit-v1\0'), content).subarray(0, SUM_BYTES);
}
