import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createPerson, isDeviceProven, seededRandom } from '../../../test/fixtures/protocol/people.ts';
import { admit, foundWorld, settle } from '../../../test/fixtures/protocol/sphere-world.ts';
import { fromHex, toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import type { EventId, SphereId } from '../../base/id.ts';
import { encryptAead } from './aead.ts';
import { attachment, encodeEnvelope, entryOf, parseEntries } from './envelope.ts';
import { buildEvent } from './event.ts';
import { deriveKey, sha256Hex } from './keys.ts';
import { openSealed, seal, SEALED_NAMESPACE, sealedLength } from './seal.ts';
import { SphereLog } from './sphere-log.ts';

const { owner, sphereId } = foundWorld();
const message = owner.say('the text of the message');
const context = { sphere: sphereId, event: message.id };
const messageKey = seededRandom('omemo message key')(16);
const random = seededRandom('iv');
const entries = [entryOf(message, [attachment('text', toUtf8('the text of the message'))])];
const sealed = seal({ messageKey, context, random }, entries);

/** What a member could make who ignores the rules of sealing. */
function sealRaw(packed: Uint8Array): Uint8Array {
  const ids = [sphereId, message.id].map((id) => fromHex(id) ?? new Uint8Array());
  const bytes = Uint8Array.of(...toUtf8(SEALED_NAMESPACE), 1, ...ids.flatMap((id) => [...id]));
  return encryptAead({ key: deriveKey(messageKey, SEALED_NAMESPACE), context: bytes, random }, packed);
}

test('who holds the message key opens what was sealed', () => {
  expect(openSealed({ messageKey, context }, sealed)).toEqual([
    { bytes: message.bytes, signature: message.signature, attachments: entries[0]?.attachments },
  ]);
  expect(sealed.length).toBe(sealedLength(entries));
  expect(Buffer.from(sealed).includes('the text')).toBe(false);
});

test('a changed bit, key, sphere or event is refused', () => {
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), (index) => {
      const changed = Uint8Array.from(sealed, (byte, at) => (at === index ? byte ^ 1 : byte));
      expect(() => openSealed({ messageKey, context }, changed)).toThrow(AppError);
    }),
  );
  expect(() => openSealed({ messageKey: seededRandom('x')(16), context }, sealed)).toThrow('do not open');
  expect(() => openSealed({ messageKey, context: { ...context, sphere: 'f'.repeat(64) as SphereId } }, sealed)).toThrow(
    'do not open',
  );
  expect(() => openSealed({ messageKey, context: { ...context, event: 'f'.repeat(64) as EventId } }, sealed)).toThrow(
    'do not open',
  );
  expect(() => openSealed({ messageKey, context }, new Uint8Array(10))).toThrow('too short');
});

test('a recipient who knows the message key cannot put words into another member’s mouth', () => {
  const mallory = admit(owner, createPerson('mallory'));
  settle(owner, mallory);
  const ana = owner.who.author;
  const header = mallory.log.nextHeader(mallory.who.author.device.id, 0);
  const body = { textSha256: sha256Hex(toUtf8('Send me the money')), replyTo: null };
  const forged = buildEvent({ person: ana.person, device: mallory.who.author.device }, header, 'message', body);
  const own = buildEvent(mallory.who.author, header, 'message', body);
  // Sealing works, because Mallory has the key …
  const claim = { bytes: own.bytes, signature: message.signature, attachments: [] };
  const inName = { sphere: sphereId, event: own.id };
  const opened = openSealed({ messageKey, context: inName }, seal({ messageKey, context: inName, random }, [claim]));
  // … but neither a stolen signature nor Ana's name over Mallory's device is accepted.
  expect(parseEntries(opened, sphereId).refused.map((error) => error.code)).toEqual(['forged']);
  const log = new SphereLog({ sphereId, isDeviceProven });
  log.addAll([...owner.log.events(), forged]);
  expect(log.verdict(forged.id)).toEqual({ kind: 'refused', reason: 'unproven' });
});

test('an element that names another event than it holds is refused', () => {
  const other = owner.say('another');
  expect(() => seal({ messageKey, context, random }, [entryOf(other)])).toThrow('names another event');
  const raw = sealRaw(deflateRawSync(encodeEnvelope([entryOf(other)])));
  expect(() => openSealed({ messageKey, context }, raw)).toThrow('names another event');
});

test('content that would unpack to too much is refused', () => {
  expect(() => openSealed({ messageKey, context }, sealRaw(deflateRawSync(new Uint8Array(60_000))))).toThrow(
    'unpacked',
  );
  const noise = seededRandom('noise')(2 ** 20 + 1);
  expect(() => openSealed({ messageKey, context }, sealRaw(deflateRawSync(noise)))).toThrow('unpacked');
  expect(() => openSealed({ messageKey, context }, sealRaw(new Uint8Array(0)))).toThrow('nothing is sealed');
  expect(() => openSealed({ messageKey, context }, sealRaw(Uint8Array.of(7, 7, 7)))).toThrow('unpacked');
});

test('what packs better than the limit is stored, so that it can be opened', () => {
  const zeros = [entryOf(message, [attachment('manifest', new Uint8Array(200_000))])];
  const opened = openSealed({ messageKey, context }, seal({ messageKey, context, random }, zeros));
  expect(opened[0]?.attachments[0]?.bytes).toEqual(new Uint8Array(200_000));
});
