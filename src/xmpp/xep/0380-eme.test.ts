import { expect, test } from 'vitest';
import { parseBareJid } from '../../base/id.ts';
import { attr, child } from '../element.ts';
import { encryptedMessage } from '../message.ts';

test('a client that cannot decrypt is told what the line is encrypted with', () => {
  const omemo = { senderDeviceId: 7, keys: [], iv: new Uint8Array(12), payload: Uint8Array.of(1) };
  const to = parseBareJid('family@rooms.a.test');
  const message = encryptedMessage({ to, type: 'groupchat', id: 'a', omemo, hasLine: true });
  const tag = child(message, 'encryption', 'urn:xmpp:eme:0');
  expect([attr(tag, 'namespace'), attr(tag, 'name')]).toEqual(['eu.siacs.conversations.axolotl', 'OMEMO']);
  expect(child(message, 'body')?.getText()).toContain('OMEMO');
});
