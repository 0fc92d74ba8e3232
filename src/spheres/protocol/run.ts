import { concatBytes, fromUtf8, toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { DeviceKey } from '../../base/id.ts';
import { ByteReader, numberBytes } from './byte-reader.ts';
import type { DeviceSigningKey } from './keys.ts';
import { isSignedBy, SIGNATURE_BYTES, signFor } from './keys.ts';

/** One session of a device with its server. A device that two programs run at once has two with one number. */
export interface Run {
  /** Of the device's first session 1, then always one more. */
  readonly number: number;
  /** 16 random bytes. */
  readonly nonce: Uint8Array;
  /** The full address of the session. */
  readonly address: string;
}

const VERSION = 1;
const NUMBER_BYTES = 6;
export const RUN_NONCE_BYTES = 16;
export const CHALLENGE_BYTES = 32;
const MAX_ADDRESS_BYTES = 3071;

/** Version ‖ number ‖ nonce ‖ address, then the device's signature over these. */
export function sealRun(device: DeviceSigningKey, { number, nonce, address }: Run): Uint8Array<ArrayBuffer> {
  const place = toUtf8(address);
  const body = concatBytes(
    Uint8Array.of(VERSION),
    numberBytes(number, NUMBER_BYTES),
    nonce,
    numberBytes(place.length, 2),
    place,
  );
  return concatBytes(body, signFor('run', device, body));
}

/** `bad-input` for what is no run, `forged` for one that the device has not signed. */
export function openRun(device: DeviceKey, bytes: Uint8Array): Run {
  const reader = new ByteReader(bytes);
  if (reader.number(1) !== VERSION) throw new AppError('bad-input', 'a run of an unknown version');
  const number = reader.number(2) * 2 ** 32 + reader.number(4);
  const nonce = reader.take(RUN_NONCE_BYTES);
  const length = reader.number(2);
  const address = length > MAX_ADDRESS_BYTES ? undefined : fromUtf8(reader.take(length));
  if (address === undefined) throw new AppError('bad-input', 'a run without an address');
  const signature = reader.take(SIGNATURE_BYTES);
  if (reader.remaining > 0) throw new AppError('bad-input', 'more than a run');
  const body = bytes.subarray(0, bytes.length - SIGNATURE_BYTES);
  if (!isSignedBy('run', device, body, signature)) throw new AppError('forged', 'a run that this device did not sign');
  return { number, nonce, address };
}

/** Shows whoever asks with a fresh challenge that the device is at work now. */
export function signAlive(device: DeviceSigningKey, challenge: Uint8Array): Uint8Array<ArrayBuffer> {
  return signFor('alive', device, challenge);
}

export function isAlive(device: DeviceKey, challenge: Uint8Array, signature: Uint8Array): boolean {
  return isSignedBy('alive', device, challenge, signature);
}
