// XEP-0384: OMEMO Encryption, version 0.3.0
import { AppError } from '../base/errors.ts';
import type { RandomBytes } from '../base/random.ts';
import { checkPublicKey, isValidId, verifyWithIdentityKey } from './keys.ts';
import type { OmemoStore } from './store.ts';
import type { OmemoBundle, PublicPreKey } from './types.ts';

const MAX_BUNDLE_BYTES = 64 * 1024;

/** A bundle that was checked, with the one prekey chosen from it. */
export interface ChosenBundle {
  readonly identityKey: Uint8Array;
  readonly signedPreKey: OmemoBundle['signedPreKey'];
  readonly preKey: PublicPreKey;
}

/** §4.4: checks what another device publishes and picks one of its prekeys at random. */
export function chooseFromBundle(bundle: OmemoBundle, random: RandomBytes): ChosenBundle {
  const { identityKey, signedPreKey } = bundle;
  if (bundleBytes(bundle) > MAX_BUNDLE_BYTES) throw new AppError('too-large', 'the bundle is too large');
  checkPublicKey(identityKey);
  checkPublicKey(signedPreKey.publicKey);
  if (!isValidId(signedPreKey.id)) throw new AppError('forged', 'the signed prekey has no valid number');
  if (!verifyWithIdentityKey(identityKey, signedPreKey.publicKey, signedPreKey.signature)) {
    throw new AppError('forged', 'the signed prekey is not signed by its device');
  }
  const usable = bundle.preKeys.filter((preKey) => isValidId(preKey.id));
  const bytes = random(4);
  const preKey = usable[new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) % Math.max(1, usable.length)];
  if (preKey === undefined) throw new AppError('cannot-encrypt', 'the device offers no usable prekey');
  checkPublicKey(preKey.publicKey);
  return { identityKey, signedPreKey, preKey };
}

/** What we publish: the newest signed prekey and the prekeys nobody has used. */
export function ownBundle(store: OmemoStore): OmemoBundle {
  const own = store.own();
  const signedPreKey = store.signedPreKeys().toSorted((a, b) => b.createdAtMs - a.createdAtMs || b.id - a.id)[0];
  if (own === undefined || signedPreKey === undefined) throw new AppError('internal', 'this device has no keys yet');
  return {
    identityKey: own.publicKey,
    signedPreKey: {
      id: signedPreKey.id,
      publicKey: signedPreKey.publicKey,
      signature: signedPreKey.signature,
    },
    preKeys: store
      .preKeys()
      .filter((preKey) => preKey.usedAtMs === null)
      .map(({ id, publicKey }) => ({ id, publicKey })),
  };
}

function bundleBytes({ identityKey, signedPreKey, preKeys }: OmemoBundle): number {
  const fixed = identityKey.length + signedPreKey.publicKey.length + signedPreKey.signature.length;
  return preKeys.reduce((sum, preKey) => sum + preKey.publicKey.length + 4, fixed);
}
