import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import { concatBytes, toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { RandomBytes } from '../base/random.ts';
import { systemRandom } from '../base/random.ts';

/** Encrypts single values of the database. `label` names the column: a value moved to another one does not open. */
export interface SecretBox {
  seal(bytes: Uint8Array, label: string): Uint8Array;
  open(sealed: Uint8Array, label: string): Uint8Array;
}

const VERSION = 1;
const IV_LENGTH = 12;
const TAG_LENGTH = 16;
const IVS_AT_ONCE = 128;
const HEADER_LENGTH = 1 + IV_LENGTH;

/** AES-256-GCM under a 32-byte master key: version byte, 12-byte IV, ciphertext, 16-byte tag. */
export function createSecretBox(deps: { masterKey: Uint8Array; random?: RandomBytes }): SecretBox {
  if (deps.masterKey.length !== 32) throw new AppError('bad-input', 'a master key has 32 bytes');
  // Many times faster than bytes, which the runtime examines anew at each use.
  const key = createSecretKey(deps.masterKey);
  const nextIv = ivsFrom(deps.random ?? systemRandom);
  return {
    seal(bytes, label) {
      const iv = nextIv();
      const cipher = createCipheriv('aes-256-gcm', key, iv);
      cipher.setAAD(toUtf8(label));
      const body = cipher.update(bytes);
      cipher.final();
      return concatBytes(Uint8Array.of(VERSION), iv, body, cipher.getAuthTag());
    },
    open(sealed, label) {
      if (sealed[0] !== VERSION || sealed.length < HEADER_LENGTH + TAG_LENGTH) {
        throw new AppError('database-damaged', 'a sealed value has an unknown form', { label });
      }
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, HEADER_LENGTH));
      decipher.setAAD(toUtf8(label));
      decipher.setAuthTag(sealed.subarray(-TAG_LENGTH));
      try {
        const body = decipher.update(sealed.subarray(HEADER_LENGTH, -TAG_LENGTH));
        // Nothing is left to come in this mode: it only checks the tag. A start opens a hundred thousand values.
        decipher.final();
        return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
      } catch (error) {
        throw new AppError('database-damaged', 'a sealed value does not open', { label }, error);
      }
    },
  };
}

/** Many at a time: asking for a few bytes takes as long as asking for a page. IVs are no secret. */
function ivsFrom(random: RandomBytes): () => Uint8Array {
  let page = new Uint8Array(0);
  let next = 0;
  return () => {
    if (next === page.length) {
      page = random(IVS_AT_ONCE * IV_LENGTH);
      next = 0;
    }
    next += IV_LENGTH;
    return page.subarray(next - IV_LENGTH, next);
  };
}
