// XEP-0384: OMEMO Encryption, version 0.3.0
import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import { concatBytes, fromUtf8, toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { RandomBytes } from '../base/random.ts';

const KEY_LENGTH = 16;
const TAG_LENGTH = 16;

export interface SealedPayload {
  /** 16-byte AES key of this message. */
  readonly messageKey: Uint8Array;
  /** What every device gets under its own session: message key, then tag. */
  readonly inner: Uint8Array;
  readonly iv: Uint8Array;
  readonly payload: Uint8Array | null;
}

/** §4.5: AES-128-GCM with the tag beside the key instead of behind the payload. */
export function sealPayload(text: string | null, random: RandomBytes): SealedPayload {
  const messageKey = random(KEY_LENGTH);
  const iv = random(12);
  const cipher = createCipheriv('aes-128-gcm', messageKey, iv);
  const body = concatBytes(cipher.update(toUtf8(text ?? '')), cipher.final());
  return { messageKey, inner: concatBytes(messageKey, cipher.getAuthTag()), iv, payload: text === null ? null : body };
}

/** Opens what came out of our session. A payload without the tag beside the key is refused: it is not authenticated. */
export function openPayload(
  inner: Uint8Array,
  iv: Uint8Array,
  payload: Uint8Array | null,
): { readonly messageKey: Uint8Array; readonly text: string | null } {
  const messageKey = Uint8Array.from(inner.subarray(0, KEY_LENGTH));
  // Some clients leave the tag out of a message that carries nothing but a key.
  const complete = inner.length === KEY_LENGTH + TAG_LENGTH || (payload === null && inner.length === KEY_LENGTH);
  if (!complete) throw new AppError('forged', 'the key element has no tag', { length: inner.length });
  if (payload === null) return { messageKey, text: null };
  // Older clients use 16 bytes.
  if (iv.length !== 12 && iv.length !== 16) throw new AppError('forged', 'malformed iv', { length: iv.length });
  // Twice as fast as bytes, which the runtime examines at length.
  const decipher = createDecipheriv('aes-128-gcm', createSecretKey(messageKey), iv);
  decipher.setAuthTag(inner.subarray(KEY_LENGTH));
  try {
    const text = fromUtf8(concatBytes(decipher.update(payload), decipher.final()));
    if (text === undefined) throw new AppError('cannot-decrypt', 'the message is not text');
    return { messageKey, text };
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError('forged', 'the payload was altered', {}, error);
  }
}
