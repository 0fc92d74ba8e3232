import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../../test/fixtures/fuzz-runs.ts';
import { createPerson, seededRandom } from '../../../test/fixtures/protocol/people.ts';
import { fromHex, toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { EventId, SphereId } from '../../base/id.ts';
import { encryptAead } from './aead.ts';
import { encodeCanonical } from './canonical-json.ts';
import { EPHEMERAL_NAMESPACE, openEphemeral, sealEphemeral } from './ephemeral.ts';
import { deriveEpochSecrets } from './epoch.ts';
import { signFor } from './keys.ts';

const ana = createPerson('ana').author.device;
const eve = createPerson('eve').author.device;
const random = seededRandom('ephemeral');
const epoch = deriveEpochSecrets(random(32));
const context = { sphere: 'a'.repeat(64) as SphereId, epoch: 'b'.repeat(64) as EventId };
const endpoints = {
  endpoints: ['192.0.2.1:6881', '[2001:db8::1]:6881'],
  trackers: ['http://192.0.2.1:6969/x/announce'],
};
const input = { context, epoch, device: ana, counter: 1000, random };
const sealed = sealEphemeral(input, 'endpoints', endpoints);
const lastCounter = () => 999;

/** What a member could make who ignores the rules. */
function sealRaw(record: object, signer = ana) {
  const bytes = encodeCanonical(record);
  const ids = [context.sphere, context.epoch].map((id) => fromHex(id) ?? new Uint8Array());
  const aad = Uint8Array.of(...toUtf8(EPHEMERAL_NAMESPACE), 1, ...ids.flatMap((id) => [...id]));
  const signed = Uint8Array.of(...signFor('ephemeral', signer, bytes), ...bytes);
  return encryptAead({ key: epoch.ephemeral, context: aad, random }, signed);
}
const record = { v: 1, ...context, device: ana.id, counter: 1000, kind: 'endpoints', body: endpoints };

test('members of the epoch learn who said what', () => {
  expect(openEphemeral({ context, epoch, lastCounter }, sealed)).toEqual({
    kind: 'endpoints',
    body: endpoints,
    device: ana.id,
    counter: 1000,
  });
  expect(Buffer.from(sealed).includes('192.0.2.1')).toBe(false);
});

test('a message that was heard before, or older than one heard, is refused', () => {
  expect(() => openEphemeral({ context, epoch, lastCounter: () => 1000 }, sealed)).toThrow('heard before');
  expect(() => openEphemeral({ context, epoch, lastCounter: () => 2000 }, sealed)).toThrow('heard before');
});

test('a device without a say is refused', () => {
  expect(() => openEphemeral({ context, epoch, lastCounter: () => undefined }, sealed)).toThrow('no say');
});

test('a member cannot speak for another device, nor move a message to another sphere or epoch', () => {
  expect(() => openEphemeral({ context, epoch, lastCounter }, sealRaw(record, eve))).toThrow('not signed');
  const elsewhere = sealRaw({ ...record, sphere: 'c'.repeat(64) });
  expect(() => openEphemeral({ context, epoch, lastCounter }, elsewhere)).toThrow('belongs elsewhere');
  const later = { ...context, epoch: 'd'.repeat(64) as EventId };
  expect(() => openEphemeral({ context: later, epoch, lastCounter }, sealed)).toThrow('do not open');
});

test('another epoch’s key opens nothing', () => {
  const other = deriveEpochSecrets(seededRandom('other')(32));
  expect(() => openEphemeral({ context, epoch: other, lastCounter }, sealed)).toThrow('do not open');
});

test('unknown kinds are told with their name, malformed bodies are refused', () => {
  const dance = sealRaw({ ...record, kind: 'dance', body: { steps: 3 } });
  expect(openEphemeral({ context, epoch, lastCounter }, dance)).toMatchObject({
    kind: 'unknown',
    name: 'dance',
    body: { steps: 3 },
  });
  for (const change of [{ body: {} }, { body: [] }, { v: 2 }, { counter: -1 }, { extra: 1 }]) {
    expect(() => openEphemeral({ context, epoch, lastCounter }, sealRaw({ ...record, ...change }))).toThrow(
      'breaks a rule',
    );
  }
});

test('an address told by a version that knows nothing of WebRTC is read, and so is one that tells more', () => {
  const more = sealRaw({ ...record, body: { ...endpoints, webrtc: true, later: [1] } });
  expect(openEphemeral({ context, epoch, lastCounter }, more)).toMatchObject({ body: { ...endpoints, webrtc: true } });
  const odd = sealRaw({ ...record, body: { ...endpoints, webrtc: 'yes' } });
  expect(() => openEphemeral({ context, epoch, lastCounter }, odd)).toThrow('breaks a rule');
});

test('the longest WebRTC signal fits, a longer one or one with odd characters does not', () => {
  const signal = { session: 'ab'.repeat(16), kind: 'offer' as const, text: '\r\n'.repeat(1024), mid: '0' };
  const long = sealEphemeral(input, 'rtc', { to: eve.id, signal });
  expect(openEphemeral({ context, epoch, lastCounter }, long)).toMatchObject({ kind: 'rtc', body: { signal } });
  for (const text of ['x'.repeat(2049), 'v=0\u0000', '"', '\\']) {
    const body = { to: eve.id, signal: { ...signal, text } };
    expect(() => sealEphemeral(input, 'rtc', body)).toThrow('text');
    expect(() => openEphemeral({ context, epoch, lastCounter }, sealRaw({ ...record, kind: 'rtc', body }))).toThrow(
      'breaks a rule',
    );
  }
});

test('long messages are refused on both sides', () => {
  const many = { ...endpoints, endpoints: Array.from({ length: 32 }, () => 'x'.repeat(290)) };
  expect(() => sealEphemeral(input, 'endpoints', many)).toThrow('too long');
  expect(() => openEphemeral({ context, epoch, lastCounter }, new Uint8Array(9000))).toThrow('too long');
});

test('arbitrary bytes never do anything but throw an expected error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      expect(() => openEphemeral({ context, epoch, lastCounter }, bytes)).toThrow(AppError);
    }),
    { numRuns: fuzzRuns(2000) },
  );
});
