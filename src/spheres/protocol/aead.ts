// NIST SP 800-38D: AES-256-GCM, 96-bit random IV in front, 128-bit tag at the end
import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import { concatBytes } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { RandomBytes } from '../../base/random.ts';

const IV_BYTES = 12;
const TAG_BYTES = 16;
/** What encryption adds to the length of the plaintext. */
export const AEAD_OVERHEAD = IV_BYTES + TAG_BYTES;

export interface AeadInput {
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** Authenticated, not sent. */
  readonly context: Uint8Array;
}

/** IV ‖ ciphertext ‖ tag. */
export function encryptAead(
  input: AeadInput & { readonly random: RandomBytes },
  plain: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const iv = input.random(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', createSecretKey(input.key), iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(input.context);
  return concatBytes(iv, cipher.update(plain), cipher.final(), cipher.getAuthTag());
}

/** Throws `forged` when the key, the context or any byte is not the sealer's. */
export function decryptAead(input: AeadInput, sealed: Uint8Array): Uint8Array<ArrayBuffer> {
  if (sealed.length < AEAD_OVERHEAD)
    throw new AppError('forged', 'the sealed bytes are too short', { bytes: sealed.length });
  // Twice as fast as bytes, which the runtime examines at length.
  const decipher = createDecipheriv('aes-256-gcm', createSecretKey(input.key), sealed.subarray(0, IV_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(input.context);
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  try {
    return concatBytes(decipher.update(sealed.subarray(IV_BYTES, sealed.length - TAG_BYTES)), decipher.final());
  } catch (error) {
    throw new AppError('forged', 'the sealed bytes do not open under this key', {}, error);
  }
}
