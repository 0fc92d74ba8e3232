import { createHash } from 'node:crypto';
import { AppError } from '../base/errors.ts';
import { cipherKey } from './cipher.ts';
import type { HashRequest } from './hash-request.ts';
import { runPieceJob } from './piece-crypto.ts';

const PIECE = 16 * 1024;
const MEDIA_KEY = new Uint8Array(32).fill(7);
/** Longer than what cipher and hasher take at once, and no multiple of anything. */
const LENGTH = 13 * PIECE + 77;
/** SHA-1 of the ciphertext of `sample()`, by OpenSSL's command line. */
const SEALED_SHA1 = 'd706bd4d89d23df740c7a56240db0dc0281c4b3f';
/** SHA-1 of all digests of its pieces, one after the other. */
const PIECES_SHA1 = 'fcab066caa9a55622c1fa4c912f88dac99cbb63b';

const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex');

/** A loop, because every start waits for it. */
function sample(): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(LENGTH);
  for (let at = 0; at < LENGTH; at += 1) bytes[at] = (at * 31 + (at >> 8)) & 0xff;
  return bytes;
}

/** Bytes in memory to be hashed, whose digests are known. */
export const KNOWN_REQUEST: HashRequest = {
  segments: [{ kind: 'bytes', offset: 0, bytes: sample() }],
  length: LENGTH,
  pieceLength: PIECE,
  mediaKey: MEDIA_KEY,
};

/** Whether these are the digests of `KNOWN_REQUEST`. */
export function areKnownPieces(pieces: Uint8Array): boolean {
  return sha1(pieces) === PIECES_SHA1;
}

/** Whether pieces are sealed and opened as they must be, also when memory was used before. Fails with `transfer-unsafe`. */
export function checkPieces(run: typeof runPieceJob = runPieceJob): void {
  const [plain, expected] = [sample(), sample()];
  const [sealed, opened] = [new Uint8Array(LENGTH), new Uint8Array(LENGTH)];
  const common = { key: cipherKey(MEDIA_KEY), plainKey: MEDIA_KEY, offset: 0, digested: true };
  for (let round = 0; round < 2; round += 1) {
    const locked = run({ kind: 'lock', from: plain, into: sealed, ...common });
    const unlocked = run({ kind: 'unlock', from: sealed, into: opened, ...common });
    const digests = [locked.digest, unlocked.digest, sha1(sealed)];
    const isRight = digests.every((digest) => digest === SEALED_SHA1);
    if (!isRight || Buffer.compare(opened, expected) !== 0 || Buffer.compare(plain, expected) !== 0) {
      throw new AppError('transfer-unsafe', 'pieces are not sealed as they must be', { check: 'pieces' });
    }
    opened.fill(0);
  }
}
