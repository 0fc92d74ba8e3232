import { expect, test } from 'vitest';
import { parseBareJid, parseEventId, parseSphereId } from '../../base/id.ts';
import type { FoundLineView } from '../../contract/search.ts';
import { foundGroups, foundParts } from './found-groups.ts';

const ben = parseBareJid('ben@example.org');

function line(place: string, text: string): FoundLineView {
  return {
    ...{ sphereId: parseSphereId(place.repeat(64)), place: { kind: 'sphere', name: place }, itemId: null, text },
    ...{ messageId: parseEventId('1'.repeat(64)), from: ben, fromName: 'Ben', mine: false, atMs: 1, marks: [] },
  };
}

test('results are grouped by conversation, the one with the newest line first', () => {
  const groups = foundGroups([line('b', 'new'), line('a', 'middle'), line('b', 'old')]);
  expect(groups.map(({ name, lines }) => [name, ...lines.map(({ text }) => text)])).toEqual([
    ['b', 'new', 'old'],
    ['a', 'middle'],
  ]);
});

test('what was found is told apart from the words around it, and nothing is lost', () => {
  const marks = [
    { from: 0, to: 3 },
    { from: 10, to: 14 },
  ];
  expect(foundParts({ text: 'Sea by the lake', marks })).toEqual([
    { text: 'Sea', found: true },
    { text: ' by the', found: false },
    { text: ' lak', found: true },
    { text: 'e', found: false },
  ]);
  expect(foundParts({ text: 'plain', marks: [] })).toEqual([{ text: 'plain', found: false }]);
});
