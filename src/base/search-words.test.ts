import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { searchExcerpt, searchTerms } from './search-words.ts';

/** The text with what is marked in brackets; undefined when it is not found. */
function marked(text: string, wanted: string): string | undefined {
  const excerpt = searchExcerpt(text, searchTerms(wanted));
  if (excerpt === undefined) return undefined;
  return excerpt.marks.reduceRight(
    (shown, { from, to }) => `${shown.slice(0, from)}[${shown.slice(from, to)}]${shown.slice(to)}`,
    excerpt.text,
  );
}

describe('a line is found', () => {
  test.each([
    ['by the beginning of a word', 'Finally unpacked the camera', 'cam', 'Finally unpacked the [cam]era'],
    ['whatever its case', 'See you at the LAKE', 'lake', 'See you at the [LAKE]'],
    ['without the accents it has', 'L’été à Orléans', 'ete orleans', 'L’[été] à [Orléans]'],
    ['with accents that it lacks', 'un ete', 'été', 'un [ete]'],
    ['with accents written as signs of their own', 'Cafe\u0301 noir', 'café', '[Cafe\u0301] noir'],
    ['by ligatures as people type them', 'Sœur et cœur', 'soeur coe', '[Sœur] et [cœ]ur'],
    [
      'when all words are in it, in any order',
      'grandma laughs at minute twelve',
      'min grandma',
      '[grandma] laughs at [min]ute twelve',
    ],
    ['by signs of a language without spaces', '昨日の写真です', '写真', '昨日の[写][真]です'],
    ['by numbers', 'IMG_2041.jpg', '2041', 'IMG_[2041].jpg'],
  ])('%s', (_, text, wanted, shown) => {
    expect(marked(text, wanted)).toBe(shown);
  });

  test.each([
    ['when a word is missing', 'grandma laughs', 'grandma cries'],
    ['by the middle of a word', 'unpacked', 'packed'],
    ['by nothing', 'anything', ''],
    ['by signs alone', 'what?!', '?! "*'],
  ])('not %s', (_, text, wanted) => {
    expect(marked(text, wanted)).toBeUndefined();
  });
});

test('of a long text the part around the first match is shown, beginning with a word', () => {
  const text = `${'before '.repeat(100)}needle ${'after '.repeat(100)}`;
  const shown = marked(text, 'needle') ?? '';
  expect(shown).toMatch(/^…before (before )*\[needle\] after/);
  expect(shown).toMatch(/…$/);
  expect(shown.length).toBeLessThan(210);
});

test('no text and nothing that is looked for throws or hangs, and marks lie in order inside of the text', () => {
  const long = fc.string({ unit: 'binary', maxLength: 200 });
  fc.assert(
    fc.property(long, fc.string({ unit: 'binary', maxLength: 8 }), (text, wanted) => {
      const terms = searchTerms(wanted);
      const excerpt = searchExcerpt(`${text} ${wanted}`, terms);
      expect(excerpt === undefined).toBe(terms.length === 0);
      let end = 0;
      for (const { from, to } of excerpt?.marks ?? []) {
        expect(from).toBeGreaterThanOrEqual(end);
        expect(to).toBeGreaterThan(from);
        end = to;
      }
      expect(end).toBeLessThanOrEqual(excerpt?.text.length ?? 0);
    }),
    { numRuns: fuzzRuns(100) },
  );
});
