import { expect, test } from 'vitest';
import { membersLike, mentionedIn, mentionSpans, typedMention } from './mentions.ts';

const members = ['Ann', 'Anna', 'Ben Moreau', 'Chloé'].map((name) => ({ name }));
const names = (found: readonly { name: string }[]): string[] => found.map(({ name }) => name);

test('a name is being typed after an @ that begins a word, and not in an address', () => {
  expect(typedMention('Hello @be', 9)).toEqual({ from: 6, word: 'be' });
  expect(typedMention('@', 1)).toEqual({ from: 0, word: '' });
  expect(typedMention('ben@exam', 8)).toBeNull();
  expect(typedMention('@ben and', 8)).toBeNull();
});

test('members are offered by the beginning of any part of their name, whatever its case', () => {
  expect(names(membersLike(members, 'an'))).toEqual(['Ann', 'Anna']);
  expect(names(membersLike(members, 'MOR'))).toEqual(['Ben Moreau']);
  expect(names(membersLike(members, ''))).toHaveLength(4);
});

test('those are spoken to whose whole name stands behind an @, the longest one that fits', () => {
  expect(names(mentionedIn('@Anna, come! And you, @Ben Moreau.', members))).toEqual(['Anna', 'Ben Moreau']);
  expect(names(mentionedIn('mail me@Anna or @Annabel', members))).toEqual([]);
  expect(mentionSpans('see @Chloé!', members)).toEqual([{ from: 4, to: 10, name: 'Chloé' }]);
});
