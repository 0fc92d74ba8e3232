import { concatBytes, toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { RandomBytes } from '../../base/random.ts';
import { deriveKey, KEY_BYTES, sha256Hex } from './keys.ts';

/** HKDF labels; the epoch key itself encrypts nothing. */
const LABELS = {
  admission: 'spherecast-admission-v1',
  lan: 'spherecast-lan-v1',
  tracker: 'spherecast-tracker-v1',
  ephemeral: 'spherecast-ephemeral-v1',
  mediaWrap: 'spherecast-media-wrap-v1',
} as const;
const COMMITMENT_PREFIX = 'spherecast-epoch-v1\0';

/** Everything that is derived from one epoch key, 32 bytes each. */
export type EpochSecrets = { readonly [K in keyof typeof LABELS]: Uint8Array<ArrayBuffer> };

export function generateEpochKey(random: RandomBytes): Uint8Array<ArrayBuffer> {
  return random(KEY_BYTES);
}

export function deriveEpochSecrets(epochKey: Uint8Array): EpochSecrets {
  assertEpochKey(epochKey);
  return {
    admission: deriveKey(epochKey, LABELS.admission),
    lan: deriveKey(epochKey, LABELS.lan),
    tracker: deriveKey(epochKey, LABELS.tracker),
    ephemeral: deriveKey(epochKey, LABELS.ephemeral),
    mediaWrap: deriveKey(epochKey, LABELS.mediaWrap),
  };
}

/** What the epoch event says of its key: all members can check that they hold the same one. */
export function epochCommitment(epochKey: Uint8Array): string {
  assertEpochKey(epochKey);
  return sha256Hex(concatBytes(toUtf8(COMMITMENT_PREFIX), epochKey));
}

function assertEpochKey(epochKey: Uint8Array): void {
  if (epochKey.length !== KEY_BYTES)
    throw new AppError('bad-input', 'an epoch key has 32 bytes', { length: epochKey.length });
}
