import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { concatBytes, fromHex } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey } from '../base/id.ts';

// RFC 8410 §4: SubjectPublicKeyInfo of an Ed25519 key is this prefix and the 32 bytes.
const SPKI_PREFIX = new Uint8Array([0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]);

/** undefined when the bytes are no key the library takes. */
export function ed25519PublicKey(device: DeviceKey): KeyObject | undefined {
  const raw = fromHex(device);
  if (raw === undefined) return undefined;
  try {
    return createPublicKey({ key: Buffer.from(concatBytes(SPKI_PREFIX, raw)), format: 'der', type: 'spki' });
  } catch {
    // A stranger's bytes need not be a key; the caller refuses them.
    return undefined;
  }
}

/** `pkcs8` is DER. */
export function ed25519PrivateKey(pkcs8: Uint8Array): KeyObject {
  try {
    return createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
  } catch (error) {
    throw new AppError('bad-input', 'device key cannot be read', {}, error);
  }
}
