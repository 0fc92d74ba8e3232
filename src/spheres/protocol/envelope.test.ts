import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../../test/fixtures/fuzz-runs.ts';
import { createPerson } from '../../../test/fixtures/protocol/people.ts';
import { foundWorld } from '../../../test/fixtures/protocol/sphere-world.ts';
import { AppError } from '../../base/errors.ts';
import type { EnvelopeEntry } from './envelope.ts';
import {
  attachment,
  decodeEnvelope,
  encodeEnvelope,
  entryOf,
  findAttachment,
  MAX_ENVELOPE_BYTES,
  parseEntries,
  splitEntries,
} from './envelope.ts';

const entry = fc.record({
  bytes: fc.uint8Array({ maxLength: 400 }),
  signature: fc.uint8Array({ minLength: 64, maxLength: 64 }),
  attachments: fc.array(
    fc.record({ code: fc.integer({ min: 0, max: 255 }), bytes: fc.uint8Array({ maxLength: 200 }) }),
    { maxLength: 16 },
  ),
});
const entries = fc
  .array(entry, { minLength: 1, maxLength: 8 })
  .map((list): EnvelopeEntry[] =>
    list.map((one) => ({ ...one, attachments: one.attachments.map((part) => ({ ...part, kind: null })) })),
  );

function plain(list: readonly EnvelopeEntry[]) {
  return list.map(({ bytes, signature, attachments }) => [
    bytes,
    signature,
    attachments.map((part) => [part.code, part.bytes]),
  ]);
}

test('entries with any attachments survive the envelope', () => {
  fc.assert(
    fc.property(entries, (list) => {
      expect(plain(decodeEnvelope(encodeEnvelope(list)))).toEqual(plain(list));
    }),
    { numRuns: fuzzRuns(500) },
  );
});

test('a cut, lengthened or arbitrary envelope is refused and never anything worse', () => {
  fc.assert(
    fc.property(entries, fc.nat(), fc.uint8Array({ maxLength: 60 }), (list, at, noise) => {
      const whole = encodeEnvelope(list);
      expect(() => decodeEnvelope(whole.subarray(0, at % whole.length))).toThrow(AppError);
      expect(() => decodeEnvelope(Uint8Array.of(...whole, 0))).toThrow(AppError);
      expect(() => decodeEnvelope(noise)).toThrow(AppError);
    }),
    { numRuns: fuzzRuns(500) },
  );
});

test('kinds have names, unknown ones keep their number', () => {
  const { owner } = foundWorld();
  const event = owner.say('x');
  const list = [
    entryOf(event, [attachment('text', Uint8Array.of(120)), { kind: null, code: 200, bytes: Uint8Array.of(1) }]),
  ];
  const [decoded] = decodeEnvelope(encodeEnvelope(list));
  expect(decoded?.attachments.map(({ kind, code }) => [kind, code])).toEqual([
    ['text', 6],
    [null, 200],
  ]);
  expect(findAttachment(decoded?.attachments ?? [], 'text')).toEqual(Uint8Array.of(120));
});

test('limits hold on both sides', () => {
  const { owner } = foundWorld();
  const event = owner.say('x');
  expect(() => encodeEnvelope([])).toThrow('this many entries');
  expect(() => encodeEnvelope([entryOf(event, [attachment('manifest', new Uint8Array(MAX_ENVELOPE_BYTES))])])).toThrow(
    'too long',
  );
  expect(() => decodeEnvelope(new Uint8Array(MAX_ENVELOPE_BYTES + 1))).toThrow('too long');
  expect(() => decodeEnvelope(Uint8Array.of(2, 0, 1))).toThrow('another version');
  expect(() => decodeEnvelope(Uint8Array.of(1, 0, 0))).toThrow('number of entries');
});

test('one bad event does not hide the others, and events of other spheres stay out', () => {
  const { owner, sphereId } = foundWorld();
  const good = owner.say('good');
  const forged = { ...entryOf(owner.say('forged')), signature: new Uint8Array(64) };
  const foreign = entryOf(foundWorld(createPerson('ben')).owner.say('foreign'));
  const { delivered, refused } = parseEntries([forged, entryOf(good), foreign], sphereId);
  expect(delivered.map(({ event }) => event)).toEqual([good]);
  expect(refused.map((error) => error.code)).toEqual(['forged', 'forged']);
});

test('entries are grouped in order below the given size', () => {
  fc.assert(
    fc.property(entries, fc.integer({ min: 500, max: 5000 }), (list, maxBytes) => {
      const groups = splitEntries(list, maxBytes);
      expect(groups.flat()).toEqual(list);
      const shared = groups.filter((group) => group.length > 1);
      expect(shared.filter((group) => encodeEnvelope(group).length > maxBytes)).toEqual([]);
    }),
    { numRuns: fuzzRuns(100) },
  );
});
