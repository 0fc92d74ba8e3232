import { expect, test } from 'vitest';
import { parseBareJid } from '../base/id.ts';
import { xml } from '../xmpp/element.ts';
import { readRoomMessage } from './read-stanza.ts';

const room = parseBareJid('room@rooms.example.org');
const stanza = xml('message', { type: 'groupchat' }, [xml('body', {}, ['hello'])]);
const message = { stanza, from: parseBareJid('ana@example.org'), stanzaId: 'a1', archived: true };

test.each([
  [-3_000_000_000_000, 0],
  [1_800_000_000_000, 1_800_000_000_000],
  [undefined, 5],
])('a message that its server dates %s is shown at %s', (delayMs, atMs) => {
  expect(readRoomMessage(room, { ...message, delayMs } as never, 5)?.atMs).toBe(atMs);
});
