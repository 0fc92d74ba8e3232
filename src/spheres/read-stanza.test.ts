import { expect, test } from 'vitest';
import { parseBareJid } from '../base/id.ts';
import { xml } from '../xmpp/element.ts';
import { readDirectMessage, readRoomMessage } from './read-stanza.ts';

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

test('the archive id of a message to us alone is the one of our own archive, whatever its author writes beside it', () => {
  const own = parseBareJid('ben@example.org');
  const idOf = (...ids: readonly [by: string, id: string][]): string | null | undefined => {
    const claims = ids.map(([by, id]) => xml('stanza-id', { xmlns: 'urn:xmpp:sid:0', by, id }));
    const parts = [xml('body', {}, 'hello'), ...claims];
    const direct = xml('message', { type: 'chat', from: 'ana@example.org/x', to: own }, ...parts);
    return readDirectMessage(own, direct, null, 5)?.archiveId;
  };
  expect(idOf(['ana@example.org', 'forged'], ['example.org', 'forged'])).toBeNull();
  expect(idOf([own, 'a1'], ['ana@example.org', 'forged'])).toBe('a1');
  expect(idOf([own, 'forged'], [own, 'a1'])).toBeNull();
});
