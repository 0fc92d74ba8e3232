import { createHmac } from 'node:crypto';
import { fromHex, toHex } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { InfoHash } from '../../base/id.ts';
import type { RandomBytes } from '../../base/random.ts';
import { AEAD_OVERHEAD, decryptAead, encryptAead } from './aead.ts';
import type { EpochSecrets } from './epoch.ts';
import { equalSecrets, KEY_BYTES } from './keys.ts';

export const WRAPPED_KEY_BYTES = KEY_BYTES + AEAD_OVERHEAD;

/** A new key for one version of one item: never for another, not even for the same file once it changed. */
export function generateMediaKey(random: RandomBytes): Uint8Array<ArrayBuffer> {
  return random(KEY_BYTES);
}

/** HMAC-SHA-256(media key, infohash) in hex: tells the right key from a wrong one before a byte is fetched. */
export function keyCheck(mediaKey: Uint8Array, infoHash: InfoHash): string {
  return toHex(createHmac('sha256', mediaKey).update(infoHashBytes(infoHash)).digest());
}

/**
 * The media key as it travels beside the item event. Whoever holds only the OMEMO message key, as a device does
 * that merely appeared in a device list, still cannot read the item.
 */
export function wrapMediaKey(
  input: { readonly epoch: EpochSecrets; readonly infoHash: InfoHash; readonly random: RandomBytes },
  mediaKey: Uint8Array,
): Uint8Array<ArrayBuffer> {
  if (mediaKey.length !== KEY_BYTES)
    throw new AppError('bad-input', 'a media key has 32 bytes', { length: mediaKey.length });
  const key = input.epoch.mediaWrap;
  return encryptAead({ key, context: infoHashBytes(input.infoHash), random: input.random }, mediaKey);
}

/** Throws `forged` when the wrapping or the key check of the event does not fit. */
export function unwrapMediaKey(
  input: { readonly epoch: EpochSecrets; readonly infoHash: InfoHash; readonly keyCheck: string },
  wrapped: Uint8Array,
): Uint8Array<ArrayBuffer> {
  if (wrapped.length !== WRAPPED_KEY_BYTES)
    throw new AppError('forged', 'not a wrapped media key', { length: wrapped.length });
  const mediaKey = decryptAead({ key: input.epoch.mediaWrap, context: infoHashBytes(input.infoHash) }, wrapped);
  if (!equalSecrets(Buffer.from(keyCheck(mediaKey, input.infoHash)), Buffer.from(input.keyCheck))) {
    throw new AppError('forged', 'the key is not the one the item was shared with');
  }
  return mediaKey;
}

function infoHashBytes(infoHash: InfoHash): Uint8Array {
  const bytes = fromHex(infoHash);
  if (bytes === undefined || bytes.length !== 20) throw new AppError('bad-input', 'not an infohash');
  return bytes;
}
