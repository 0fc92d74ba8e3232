import { createDecipheriv, createPrivateKey } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import probe from '../../test/fixtures/protocol/probe.json' with { type: 'json' };
import vector from '../../test/fixtures/protocol/admission.json' with { type: 'json' };
import { concatBytes, fromHex, toHex } from '../base/bytes.ts';
import { parseDeviceKey, parseInfoHash } from '../base/id.ts';
import type { Call, Nonces } from './admission-frames.ts';
import {
  CALLER_PROOF_BYTES,
  decodeAnswerProof,
  decodeCallerProof,
  deriveSealKeys,
  encodeAnswerProof,
  encodeCallerProof,
} from './admission-frames.ts';

const hex = (text: string): Uint8Array<ArrayBuffer> => fromHex(text) ?? new Uint8Array(0);

// RFC 8410 §7: PKCS #8 of an Ed25519 key is this prefix and the 32-byte seed.
const PKCS8_PREFIX = hex('302e020100300506032b657004220420');

function privateKey(seed: string) {
  return createPrivateKey({ key: Buffer.from(concatBytes(PKCS8_PREFIX, hex(seed))), format: 'der', type: 'pkcs8' });
}

const nonces: Nonces = { caller: hex(vector.callerNonce), answerer: hex(vector.answererNonce) };
const admission = hex(vector.admissionKey);
const seal = deriveSealKeys(admission, nonces);
const call: Call = {
  infoHash: parseInfoHash(vector.infoHash),
  purpose: 'swarm',
  device: parseDeviceKey(vector.callerDevice),
};
const answerer = parseDeviceKey(vector.answererDevice);
const callerKeys = { admission, seal, device: privateKey(vector.callerSeed) };
const answererKeys = { admission, seal, device: privateKey(vector.answererSeed) };

test('the proofs are the ones of the specification, byte for byte', () => {
  expect(toHex(seal.caller)).toBe(vector.callerSealKey);
  expect(toHex(seal.answerer)).toBe(vector.answererSealKey);
  expect(toHex(encodeCallerProof(call, callerKeys, nonces))).toBe(vector.callerProof);
  expect(toHex(encodeAnswerProof({ call, device: answerer }, answererKeys, nonces))).toBe(vector.answererProof);
});

test('a probe is the one of the specification, and an unknown purpose is no call', () => {
  const between = { caller: hex(probe.callerNonce), answerer: hex(probe.answererNonce) };
  const key = hex(probe.admissionKey);
  const keys = { admission: key, seal: deriveSealKeys(key, between), device: privateKey(probe.callerSeed) };
  const probing: Call = {
    infoHash: parseInfoHash(probe.infoHash),
    purpose: 'probe',
    device: parseDeviceKey(probe.device),
  };
  expect(toHex(encodeCallerProof(probing, keys, between))).toBe(probe.callerProof);
  expect(decodeCallerProof(hex(probe.callerProof), keys, between)).toEqual(probing);
  const later = encodeCallerProof({ ...probing, purpose: 'something later' as 'probe' }, keys, between);
  expect(decodeCallerProof(later, keys, between)).toBeUndefined();
});

test('each side reads the proof of the other', () => {
  expect(decodeCallerProof(hex(vector.callerProof), callerKeys, nonces)).toEqual(call);
  expect(decodeAnswerProof(hex(vector.answererProof), call, answererKeys, nonces)).toBe(answerer);
});

test.each([
  ['swarm', 1],
  ['metainfo', 2],
  ['bring', 3],
  ['probe', 5],
] as const)('purpose %s is read as it was written, at its place', (purpose, value) => {
  const proof = encodeCallerProof({ ...call, purpose }, callerKeys, nonces);
  expect(decodeCallerProof(proof, callerKeys, nonces)).toEqual({ ...call, purpose });
  const decipher = createDecipheriv('aes-256-gcm', seal.caller, new Uint8Array(12), { authTagLength: 16 });
  expect(decipher.update(proof.subarray(32, -16))[20]).toBe(value);
});

test('a proof is worth nothing with one bit changed, under another nonce or in the other direction', () => {
  const proof = hex(vector.callerProof);
  for (let bit = 0; bit < proof.length * 8; bit += 1) {
    const changed = Uint8Array.from(proof);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(decodeCallerProof(changed, callerKeys, nonces)).toBeUndefined();
  }
  const swapped: Nonces = { caller: nonces.answerer, answerer: nonces.caller };
  const otherKeys = { admission, seal: deriveSealKeys(admission, swapped) };
  expect(decodeCallerProof(proof, otherKeys, swapped)).toBeUndefined();
  expect(decodeAnswerProof(proof, call, answererKeys, nonces)).toBeUndefined();
});

test('an answer to another call is refused', () => {
  const other: Call = { ...call, purpose: 'metainfo' };
  expect(decodeAnswerProof(hex(vector.answererProof), other, answererKeys, nonces)).toBeUndefined();
});

test('arbitrary bytes are never a proof and never an exception', () => {
  const proof = fc.oneof(
    fc.uint8Array({ minLength: CALLER_PROOF_BYTES, maxLength: CALLER_PROOF_BYTES }),
    fc.uint8Array({ maxLength: 300 }),
  );
  fc.assert(
    fc.property(proof, (bytes) => {
      expect(decodeCallerProof(bytes, callerKeys, nonces)).toBeUndefined();
      expect(decodeAnswerProof(bytes, call, answererKeys, nonces)).toBeUndefined();
    }),
    { numRuns: fuzzRuns(2_000) },
  );
});
