// Spherecast wire format, "Admission", version 1
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  sign,
  timingSafeEqual,
  verify,
  type KeyObject,
} from 'node:crypto';
import { concatBytes, fromHex, toHex, toUtf8 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey, InfoHash } from '../base/id.ts';
import { parseDeviceKey, parseInfoHash } from '../base/id.ts';
import { ed25519PublicKey } from './ed25519.ts';

/** Sizes of the four messages in bytes: nonce, nonce, then the proof of each side. */
export const NONCE_BYTES = 32;
export const CALLER_PROOF_BYTES = 165;
export const ANSWER_PROOF_BYTES = 144;

const LABEL = 'spherecast-admission-v1';
const TAG_BYTES = 32;
const SEAL_BYTES = 16;
// Every sealing key serves exactly one message, because both nonces go into it.
const SEAL_NONCE = new Uint8Array(12);

/** What the stream is for once both sides are admitted. */
export type Purpose = 'swarm' | 'metainfo' | 'bring' | 'wants' | 'probe';
const PURPOSES: readonly Purpose[] = ['swarm', 'metainfo', 'bring', 'wants', 'probe'];

/** Both nonces of one connection. */
export interface Nonces {
  readonly caller: Uint8Array;
  readonly answerer: Uint8Array;
}

/** What the calling side proves. */
export interface Call {
  readonly infoHash: InfoHash;
  readonly purpose: Purpose;
  readonly device: DeviceKey;
}

/** The keys of one connection under one epoch. */
export interface SealKeys {
  readonly caller: Uint8Array;
  readonly answerer: Uint8Array;
}

export function deriveSealKeys(admissionKey: Uint8Array, nonces: Nonces): SealKeys {
  const salt = concatBytes(nonces.caller, nonces.answerer);
  const keys = new Uint8Array(hkdfSync('sha256', admissionKey, salt, `${LABEL} seal`, 64));
  return { caller: keys.subarray(0, 32), answerer: keys.subarray(32) };
}

/** The third message: tag ‖ sealed(infohash ‖ purpose ‖ device ‖ signature). */
export function encodeCallerProof(
  call: Call,
  keys: { admission: Uint8Array; seal: SealKeys; device: KeyObject },
  nonces: Nonces,
): Uint8Array {
  const tag = proofTag('caller', keys.admission, nonces, call.infoHash);
  const signature = sign(null, callerTranscript(call, nonces), keys.device);
  const purpose = new Uint8Array([PURPOSES.indexOf(call.purpose) + 1]);
  const body = concatBytes(hexBytes(call.infoHash), purpose, hexBytes(call.device), signature);
  return concatBytes(tag, seal(keys.seal.caller, body, tag));
}

/** The call in a third message, or undefined when it was not made under this epoch's key. */
export function decodeCallerProof(
  message: Uint8Array,
  keys: { admission: Uint8Array; seal: SealKeys },
  nonces: Nonces,
): Call | undefined {
  if (message.length !== CALLER_PROOF_BYTES) return undefined;
  const tag = message.subarray(0, TAG_BYTES);
  const body = unseal(keys.seal.caller, message.subarray(TAG_BYTES), tag);
  if (body === undefined) return undefined;
  const purpose = PURPOSES[(body[20] ?? 0) - 1];
  if (purpose === undefined) return undefined;
  const infoHash = parseInfoHash(toHex(body.subarray(0, 20)));
  const device = parseDeviceKey(toHex(body.subarray(21, 53)));
  if (!timingSafeEqual(tag, proofTag('caller', keys.admission, nonces, infoHash))) return undefined;
  const call = { infoHash, purpose, device };
  const key = ed25519PublicKey(device);
  if (key === undefined || !verify(null, callerTranscript(call, nonces), key, body.subarray(53))) return undefined;
  return call;
}

/** The fourth message: tag ‖ sealed(device ‖ signature). */
export function encodeAnswerProof(
  answer: { call: Call; device: DeviceKey },
  keys: { admission: Uint8Array; seal: SealKeys; device: KeyObject },
  nonces: Nonces,
): Uint8Array {
  const tag = proofTag('answerer', keys.admission, nonces, answer.call.infoHash);
  const signature = sign(null, answerTranscript(answer.call, answer.device, nonces), keys.device);
  return concatBytes(tag, seal(keys.seal.answerer, concatBytes(hexBytes(answer.device), signature), tag));
}

/** The answering device, or undefined when the proof does not belong to our call. */
export function decodeAnswerProof(
  message: Uint8Array,
  call: Call,
  keys: { admission: Uint8Array; seal: SealKeys },
  nonces: Nonces,
): DeviceKey | undefined {
  if (message.length !== ANSWER_PROOF_BYTES) return undefined;
  const tag = message.subarray(0, TAG_BYTES);
  if (!timingSafeEqual(tag, proofTag('answerer', keys.admission, nonces, call.infoHash))) return undefined;
  const body = unseal(keys.seal.answerer, message.subarray(TAG_BYTES), tag);
  if (body === undefined) return undefined;
  const device = parseDeviceKey(toHex(body.subarray(0, 32)));
  const key = ed25519PublicKey(device);
  if (key === undefined || !verify(null, answerTranscript(call, device, nonces), key, body.subarray(32))) {
    return undefined;
  }
  return device;
}

function proofTag(side: 'caller' | 'answerer', key: Uint8Array, nonces: Nonces, infoHash: InfoHash): Uint8Array {
  return createHmac('sha256', key)
    .update(`${LABEL} ${side}\0`)
    .update(nonces.caller)
    .update(nonces.answerer)
    .update(hexBytes(infoHash))
    .digest();
}

function callerTranscript(call: Call, nonces: Nonces): Uint8Array {
  return transcript('caller', call, nonces, new Uint8Array(0));
}

function answerTranscript(call: Call, device: DeviceKey, nonces: Nonces): Uint8Array {
  return transcript('answerer', call, nonces, hexBytes(device));
}

/** What a device key signs: label, a zero byte, then SHA-256 over everything both sides agreed on. */
function transcript(side: 'caller' | 'answerer', call: Call, nonces: Nonces, answerer: Uint8Array): Uint8Array {
  const digest = createHash('sha256')
    .update(nonces.caller)
    .update(nonces.answerer)
    .update(hexBytes(call.infoHash))
    .update(new Uint8Array([PURPOSES.indexOf(call.purpose) + 1]))
    .update(hexBytes(call.device))
    .update(answerer)
    .digest();
  return concatBytes(toUtf8(`${LABEL} ${side}\0`), digest);
}

function seal(key: Uint8Array, body: Uint8Array, aad: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-gcm', key, SEAL_NONCE, { authTagLength: SEAL_BYTES });
  cipher.setAAD(aad);
  return concatBytes(cipher.update(body), cipher.final(), cipher.getAuthTag());
}

function unseal(key: Uint8Array, sealed: Uint8Array, aad: Uint8Array): Uint8Array | undefined {
  const decipher = createDecipheriv('aes-256-gcm', key, SEAL_NONCE, { authTagLength: SEAL_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(sealed.length - SEAL_BYTES));
  try {
    return concatBytes(decipher.update(sealed.subarray(0, sealed.length - SEAL_BYTES)), decipher.final());
  } catch {
    // The only failure of `final` is a tag that does not match: not sealed under this key.
    return undefined;
  }
}

function hexBytes(text: string): Uint8Array {
  const bytes = fromHex(text);
  if (bytes === undefined) throw new AppError('internal', 'identifier is not hex');
  return bytes;
}
