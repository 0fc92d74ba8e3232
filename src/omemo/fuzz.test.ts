import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { noSignal, OmemoDevices } from '../../test/fixtures/omemo-devices.ts';
import type { TestDevice } from '../../test/fixtures/omemo-devices.ts';
import { AppError } from '../base/errors.ts';
import type { OmemoMessage } from './types.ts';

/** Places (as parts of the length) and the bits to turn there, or a new length. */
const mutation = fc.oneof(
  fc.record({
    flips: fc.array(
      fc.record({ at: fc.double({ min: 0, max: 0.999, noNaN: true }), mask: fc.integer({ min: 1, max: 255 }) }),
      { minLength: 1, maxLength: 4 },
    ),
  }),
  fc.record({ part: fc.double({ min: 0, max: 0.99, noNaN: true }) }),
  fc.record({ noise: fc.uint8Array({ maxLength: 400 }) }),
);
type Mutation = typeof mutation extends fc.Arbitrary<infer Value> ? Value : never;

function mutate(data: Uint8Array, change: Mutation): Uint8Array {
  if ('noise' in change) return change.noise;
  if ('part' in change) return data.slice(0, Math.floor(data.length * change.part));
  const copy = Uint8Array.from(data);
  for (const { at, mask } of change.flips) {
    const index = Math.floor(at * copy.length);
    copy[index] = (copy[index] ?? 0) ^ mask;
  }
  return copy;
}

/** What came of altered bytes that must not be: anything but a refusal or the true text, or a changed session. */
async function attack(ana: TestDevice, ben: TestDevice, message: OmemoMessage): Promise<readonly unknown[]> {
  const before = ben.store.session(ana.address);
  const failures: unknown[] = [];
  await fc.assert(
    fc.asyncProperty(mutation, fc.boolean(), async (change, preKey) => {
      const keys = message.keys.map((key) => ({ ...key, preKey, data: mutate(key.data, change) }));
      const altered = { ...message, keys };
      const outcome = await ben.omemo
        .decrypt({ from: ana.jid, message: altered }, ({ text }) => text, noSignal)
        .catch((error: unknown) => error);
      // Parts of a first message that authenticate nothing may change; the text may not.
      if (outcome !== 'true' && !(outcome instanceof AppError)) failures.push(outcome);
      if (ben.store.session(ana.address) !== before) failures.push('session changed');
      return failures.length === 0;
    }),
    { numRuns: fuzzRuns(300) },
  );
  return failures;
}

test('whatever is done to the bytes of a first message, it is refused or says the same', async () => {
  const devices = new OmemoDevices();
  const [ana, ben] = [await devices.add('ana@one.test'), await devices.add('ben@two.test')];
  const message = await ana.write('true', ben);
  expect(await attack(ana, ben, message)).toEqual([]);
  expect(await ben.readText(ana, message)).toBe('true');
});

test('whatever is done to the bytes of a later message, it is refused or says the same', async () => {
  const devices = new OmemoDevices();
  const [ana, ben] = [await devices.add('ana@one.test'), await devices.add('ben@two.test')];
  await ben.read(ana, await ana.write('hello', ben));
  await ana.read(ben, await ben.write('hi', ana));
  const message = await ana.write('true', ben);
  expect(await attack(ana, ben, message)).toEqual([]);
  expect(await ben.readText(ana, message)).toBe('true');
});
