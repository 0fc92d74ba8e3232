import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '../../base/bytes.ts';
import { AppError, errorCode } from '../../base/errors.ts';
import type { DeviceKey } from '../../base/id.ts';
import { signingKeyFromSeed } from './keys.ts';
import { isAlive, openRun, sealRun, signAlive } from './run.ts';

const device = signingKeyFromSeed<DeviceKey>(new Uint8Array(32).fill(7));
const other = signingKeyFromSeed<DeviceKey>(new Uint8Array(32).fill(8));
const run = { number: 2 ** 33 + 5, nonce: new Uint8Array(16).fill(1), address: 'ana@a.test/é' };

test('a run has the bytes of the wire format, and is read as it was written', () => {
  const sealed = sealRun(device, run);
  const address = '616e6140612e746573742fc3a9';
  expect(toHex(sealed.subarray(0, -64))).toBe(`01000200000005${'01'.repeat(16)}000d${address}`);
  expect(openRun(device.id, sealed)).toEqual(run);
});

test('a run of another device, or changed anywhere, is none', () => {
  const sealed = sealRun(device, run);
  expect(() => openRun(other.id, sealed)).toThrow(AppError);
  for (let index = 0; index < sealed.length; index += 1) {
    expect(() => openRun(device.id, sealed.with(index, (sealed[index] ?? 0) ^ 1))).toThrow(AppError);
  }
});

test('whatever a server gives is a run or refused', () => {
  const codeOf = (bytes: Uint8Array): string => {
    try {
      return String(openRun(device.id, bytes).number);
    } catch (error) {
      return errorCode(error);
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(['bad-input', 'forged']).toContain(codeOf(bytes));
    }),
  );
});

test('a sign of life is for one challenge and of one device', () => {
  const challenge = new Uint8Array(32).fill(3);
  const signed = signAlive(device, challenge);
  expect(isAlive(device.id, challenge, signed)).toBe(true);
  expect(isAlive(device.id, challenge.with(0, 4), signed)).toBe(false);
  expect(isAlive(other.id, challenge, signed)).toBe(false);
  expect(() => openRun(device.id, signed)).toThrow(AppError);
});
