// Spherecast wire format, "Admission", version 1
import type { KeyObject } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { DeviceKey, InfoHash, SphereId } from '../base/id.ts';
import { parseInfoHash } from '../base/id.ts';
import type { RandomBytes } from '../base/random.ts';
import type { Call, Nonces, Purpose, SealKeys } from './admission-frames.ts';
import {
  ANSWER_PROOF_BYTES,
  CALLER_PROOF_BYTES,
  decodeAnswerProof,
  decodeCallerProof,
  deriveSealKeys,
  encodeAnswerProof,
  encodeCallerProof,
  NONCE_BYTES,
} from './admission-frames.ts';
import { sphereMark } from './sphere-mark.ts';
import { readExactly, writeAll } from './stream-reader.ts';
import { withinTime } from '../base/within-time.ts';

/** From the first byte to the last proof. */
export const ADMISSION_TIMEOUT_MS = 5_000;

/** What a probe names in place of a torrent. */
export const NO_TORRENT = parseInfoHash('0'.repeat(40));

export interface Self {
  readonly device: DeviceKey;
  readonly privateKey: KeyObject;
}

/** One sphere as admission sees it, asked anew for every connection. */
export interface AdmittingSphere {
  readonly sphereId: SphereId;
  /** Admission keys, newest epoch first. */
  readonly admissionKeys: readonly Uint8Array[];
  readonly isListed: (device: DeviceKey) => boolean;
  /** Whether we hold this torrent and serve it now. */
  readonly has: (infoHash: InfoHash) => boolean;
  /** Whether we look for this torrent's metainfo now, which somebody may bring. */
  readonly seeks: (infoHash: InfoHash) => boolean;
}

export interface AdmissionDeps {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly self: Self;
}

/** A stream whose other end proved to be a listed device. */
export interface Admitted {
  readonly sphereId: SphereId;
  readonly infoHash: InfoHash;
  readonly device: DeviceKey;
  readonly purpose: Purpose;
}

export interface CallTarget {
  readonly sphere: AdmittingSphere;
  readonly admissionKey: Uint8Array;
  readonly infoHash: InfoHash;
  readonly purpose: Purpose;
}

/** Admits ourselves at the other end of a stream we opened. Fails with `not-allowed`, `timed-out` or `disconnected`. */
export function callIn(
  stream: Duplex,
  target: CallTarget,
  deps: AdmissionDeps,
  signal: AbortSignal,
): Promise<Admitted> {
  return withinTime({ clock: deps.clock, ms: ADMISSION_TIMEOUT_MS }, signal, async (limited) => {
    const own = deps.random(NONCE_BYTES);
    await writeAll(stream, own, limited);
    const nonces: Nonces = { caller: own, answerer: await readExactly(stream, NONCE_BYTES, limited) };
    const { sphere, infoHash, purpose } = target;
    const call: Call = { infoHash, purpose, device: deps.self.device };
    const keys = keyRing(target.admissionKey, nonces, deps.self);
    await writeAll(stream, encodeCallerProof(call, keys, nonces), limited);
    const answer = await readExactly(stream, ANSWER_PROOF_BYTES, limited);
    const device = decodeAnswerProof(answer, call, keys, nonces);
    if (device === undefined) throw new AppError('not-allowed', 'the answer is not proven');
    requirePeer(sphere, device, deps.self);
    return { sphereId: sphere.sphereId, infoHash, device, purpose };
  });
}

/** Admits the caller of a stream we accepted. A caller without admission gets 32 random bytes and nothing else. */
export function answerCall(
  stream: Duplex,
  spheres: readonly AdmittingSphere[],
  deps: AdmissionDeps,
  signal: AbortSignal,
): Promise<Admitted> {
  return withinTime({ clock: deps.clock, ms: ADMISSION_TIMEOUT_MS }, signal, async (limited) => {
    const caller = await readExactly(stream, NONCE_BYTES, limited);
    const nonces: Nonces = { caller, answerer: deps.random(NONCE_BYTES) };
    await writeAll(stream, nonces.answerer, limited);
    const proof = await readExactly(stream, CALLER_PROOF_BYTES, limited);
    const found = findCall(proof, spheres, nonces, deps.self);
    if (found === undefined) throw new AppError('not-allowed', 'the caller is not proven');
    const { sphere, call, keys } = found;
    requirePeer(sphere, call.device, deps.self);
    if (!isServed(call, sphere)) throw new AppError('not-allowed', 'the torrent is not served here');
    await writeAll(stream, encodeAnswerProof({ call, device: deps.self.device }, keys, nonces), limited);
    return { sphereId: sphere.sphereId, infoHash: call.infoHash, device: call.device, purpose: call.purpose };
  });
}

function isServed({ purpose, infoHash }: Call, sphere: AdmittingSphere): boolean {
  switch (purpose) {
    case 'swarm':
    case 'metainfo':
      return sphere.has(infoHash);
    case 'bring':
      return sphere.seeks(infoHash);
    case 'wants':
      return infoHash === sphereMark(sphere.sphereId);
    case 'probe':
      return infoHash === NO_TORRENT;
  }
}

interface KeyRing {
  readonly admission: Uint8Array;
  readonly seal: SealKeys;
  readonly device: KeyObject;
}

function keyRing(admission: Uint8Array, nonces: Nonces, self: Self): KeyRing {
  return { admission, seal: deriveSealKeys(admission, nonces), device: self.privateKey };
}

/** Tries every key to the end, so that the time taken does not tell which one fits. */
function findCall(
  proof: Uint8Array,
  spheres: readonly AdmittingSphere[],
  nonces: Nonces,
  self: Self,
): { sphere: AdmittingSphere; call: Call; keys: KeyRing } | undefined {
  let found: { sphere: AdmittingSphere; call: Call; keys: KeyRing } | undefined;
  for (const sphere of spheres) {
    for (const admissionKey of sphere.admissionKeys) {
      const keys = keyRing(admissionKey, nonces, self);
      const call = decodeCallerProof(proof, keys, nonces);
      if (call !== undefined) found ??= { sphere, call, keys };
    }
  }
  return found;
}

function requirePeer(sphere: AdmittingSphere, device: DeviceKey, self: Self): void {
  // A proof replayed at ourselves names our own device.
  if (device === self.device) throw new AppError('not-allowed', 'connected to ourselves');
  if (!sphere.isListed(device)) throw new AppError('not-allowed', 'the device is not listed');
}
