import { expect, test } from 'vitest';
import { xml } from './element.ts';
import { OccupantTable } from './occupant-table.ts';
import { NS_MUC_USER, readMucPresence } from './xep/0045-muc.ts';

const room = 'family@rooms.a.test';

function tell(table: OccupantTable, nick: string, jid: string | undefined, type?: string): void {
  const item = xml('item', { jid, affiliation: 'member', role: 'participant' });
  const stanza = xml('presence', { from: `${room}/${nick}`, type }, xml('x', { xmlns: NS_MUC_USER }, item));
  const presence = readMucPresence(stanza, room);
  if (presence !== undefined) table.update(presence, stanza);
}

test('a nick is whoever has it at this moment', () => {
  const table = new OccupantTable();
  tell(table, 'ana', 'ana@a.test/phone');
  expect(table.jidOf('ana')).toBe('ana@a.test');
  tell(table, 'ana', 'ana@a.test/phone', 'unavailable');
  expect(table.jidOf('ana')).toBeNull();
  tell(table, 'ana', 'eve@a.test/phone');
  expect(table.jidOf('ana')).toBe('eve@a.test');
  tell(table, 'ana', undefined);
  expect(table.jidOf('ana')).toBeNull();
});

test('a room that makes up occupants without end fills no memory', () => {
  const table = new OccupantTable();
  for (let index = 0; index < 3000; index += 1) tell(table, `nick${index}`, `nick${index}@a.test/x`);
  expect(table.all).toHaveLength(1000);
  // Those that are known stay up to date, and a free place is taken again.
  tell(table, 'nick5', 'eve@a.test/x');
  expect(table.jidOf('nick5')).toBe('eve@a.test');
  tell(table, 'nick5', undefined, 'unavailable');
  tell(table, 'late', 'late@a.test/x');
  expect(table.jidOf('late')).toBe('late@a.test');
});
