import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../../test/fixtures/fuzz-runs.ts';
import { createPerson } from '../../../test/fixtures/protocol/people.ts';
import { foundWorld } from '../../../test/fixtures/protocol/sphere-world.ts';
import { toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { EventId, SphereId } from '../../base/id.ts';
import { decodeCanonical, encodeCanonical } from './canonical-json.ts';
import { buildAnyEvent, buildEvent, MAX_EVENT_BYTES, parseEvent } from './event.ts';
import { sha256Hex, signFor } from './keys.ts';

const ana = createPerson('ana');
const sphere = 'a'.repeat(64) as SphereId;
const membership = 'b'.repeat(64) as EventId;
const header = { sphere, sequence: 0, previous: null, lamport: 7, wallMs: 1_800_000_000_000, membership };
const body = { textSha256: 'c'.repeat(64), replyTo: null };
const message = buildEvent(ana.author, header, 'message', body);
const wire = decodeCanonical(message.bytes, MAX_EVENT_BYTES) as Record<string, never>;

function parseSigned(value: unknown) {
  const bytes = encodeCanonical(value);
  return parseEvent(bytes, signFor('event', ana.author.device, bytes));
}

test('an event survives as its exact bytes', () => {
  const parsed = parseEvent(message.bytes, message.signature);
  expect(parsed).toEqual(message);
  expect(parsed.id).toBe(sha256Hex(message.bytes));
  expect(parsed.header).toMatchObject({ ...header, person: ana.author.person, device: ana.author.device.id });
});

test('an event with one changed bit is refused', () => {
  fc.assert(
    fc.property(fc.nat(message.bytes.length - 1), fc.integer({ min: 0, max: 7 }), (index, bit) => {
      const bytes = Uint8Array.from(message.bytes);
      bytes[index] = (bytes[index] ?? 0) ^ (1 << bit);
      expect(() => parseEvent(bytes, message.signature)).toThrow(AppError);
    }),
    { numRuns: fuzzRuns(2000) },
  );
  const signature = Uint8Array.from(message.signature, (byte, index) => (index === 3 ? byte ^ 1 : byte));
  expect(() => parseEvent(message.bytes, signature)).toThrow('not signed by the device');
});

test('an event signed by another device than it names is refused', () => {
  const mallory = createPerson('mallory');
  const signature = signFor('event', mallory.author.device, message.bytes);
  expect(() => parseEvent(message.bytes, signature)).toThrow('not signed by the device');
});

test.each([
  ['another version', { v: 2 }],
  ['a field too many', { extra: 1 }],
  ['a first event that names one before it', { previous: 'd'.repeat(64) }],
  ['a later event that names none', { sequence: 1 }],
  ['a negative sequence', { sequence: -1 }],
  ['no sphere outside the genesis', { sphere: '0'.repeat(64) }],
  ['no membership event', { membership: null }],
  ['a genesis inside a sphere', { type: 'genesis' }],
  ['upper case hex', { sphere: 'A'.repeat(64) }],
  ['a type with odd characters', { type: 'Mess age' }],
  ['a body that is a list', { body: [] }],
  ['a Lamport time without end', { lamport: Number.MAX_SAFE_INTEGER }],
])('a header with %s is refused', (_name, change) => {
  expect(() => parseSigned({ ...wire, ...change })).toThrow(AppError);
});

test('a missing header field is refused', () => {
  for (const field of Object.keys(wire)) {
    const rest = Object.fromEntries(Object.entries(wire).filter(([name]) => name !== field));
    expect(() => parseSigned(rest)).toThrow(AppError);
  }
});

test('an unknown type keeps its body, a broken body of a known type is marked', () => {
  expect(parseSigned({ ...wire, type: 'poll', body: { options: ['a', 'b'] } })).toMatchObject({
    type: 'unknown',
    header: { type: 'poll' },
    body: { options: ['a', 'b'] },
  });
  expect(parseSigned({ ...wire, body: { textSha256: 'short', replyTo: null } })).toMatchObject({ type: 'malformed' });
  expect(parseSigned({ ...wire, body: { ...body, later: 1 } })).toMatchObject({ type: 'message', body });
});

test('an event that breaks a rule is not built', () => {
  expect(() => buildEvent(ana.author, header, 'message', { textSha256: 'x', replyTo: null })).toThrow(
    'rules of its type',
  );
  expect(() => buildAnyEvent(ana.author, header, 'long', { text: 'x'.repeat(MAX_EVENT_BYTES) })).toThrow('too long');
  expect(() => buildAnyEvent(ana.author, header, 'odd', { half: '\ud800' })).toThrow('surrogate');
});

test('addresses have one spelling', () => {
  const { owner } = foundWorld(ana);
  const invite = { jid: 'Ben@Example.org', role: 'member' as const, key: 'e'.repeat(64) };
  expect(() => owner.write('invite', invite)).toThrow('rules of its type');
});

test('arbitrary bytes never do anything but throw an expected error', () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.json().map(toUtf8)), (bytes) => {
      expect(() => parseEvent(bytes, new Uint8Array(64))).toThrow(AppError);
    }),
    { numRuns: fuzzRuns(2000) },
  );
});

test('a time that no calendar has is refused, or no page could show the event', () => {
  expect(parseSigned({ ...wire, wallMs: 8.64e15 }).header.wallMs).toBe(8.64e15);
  expect(() => parseSigned({ ...wire, wallMs: 8.64e15 + 1 })).toThrow(expect.objectContaining({ code: 'bad-input' }));
});
