import { expect, test } from 'vitest';
import { parseBareJid, parseEventId, parseSphereId } from '../../base/id.ts';
import { child } from '../element.ts';
import { encryptedMessage, ephemeralMessage } from '../message.ts';

const room = parseBareJid('family@rooms.a.test');
const sphere = parseSphereId('11'.repeat(32));
const NS = 'urn:xmpp:hints';

test('what is ephemeral is neither kept nor copied, and shows nothing to people', () => {
  const ephemeral = { sphere, epoch: parseEventId('22'.repeat(32)), bytes: Uint8Array.of(1) };
  const message = ephemeralMessage({ to: room, type: 'groupchat', id: 'a', ephemeral });
  expect(message.getChildElements().map(({ name }) => name)).toEqual(['ephemeral', 'no-store', 'no-copy']);
  expect(child(message, 'no-store', NS)).toBeDefined();
  expect(child(message, 'no-copy', NS)).toBeDefined();
});

test('what is durable is kept, also without a line for people', () => {
  const omemo = { senderDeviceId: 7, keys: [], iv: new Uint8Array(12), payload: null };
  const message = encryptedMessage({ to: room, type: 'groupchat', id: 'a', omemo, hasLine: false });
  expect(child(message, 'store', NS)).toBeDefined();
  expect(child(message, 'body')).toBeUndefined();
});
