import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { MAX_NAME_BYTES, collisionKey, numberedName, safeName, safePathComponents, uniqueNames } from './safe-name.ts';

const RUNS = fuzzRuns(2_000);
const bytes = (text: string): number => Buffer.byteLength(text);

const EXAMPLES: [string, string, string][] = [
  ['an ordinary name', 'Été à la plage (1).mp4', 'Été à la plage (1).mp4'],
  ['a decomposed name', 'E\u0301te\u0301.jpg', '\u00C9t\u00E9.jpg'],
  ['an empty name', '', '_'],
  ['the folder itself', '.', '_'],
  ['the folder above', '..', '_'],
  ['only dots and spaces', '. . .', '_'],
  ['a path', '../../etc/passwd', '.._.._etc_passwd'],
  ['a Windows path', 'C:\\evil', 'C__evil'],
  ['a stream of an NTFS file', 'film.mp4:hidden', 'film.mp4_hidden'],
  ['control characters', 'a\u0000b\u001fc\u007fd\u009fe', 'a_b_c_d_e'],
  ['line separators', 'a\u2028b\u2029c', 'a_b_c'],
  ['wildcards and quotes', 'a<b>c"d|e?f*g', 'a_b_c_d_e_f_g'],
  ['a right-to-left override', 'photo\u202Egpj.exe', 'photogpj.exe'],
  ['bidirectional isolates and marks', '\u2066a\u2069\u200Eb\u200F\u061Cc', 'abc'],
  ['zero-width characters', 'a\u200Bb\u200Cc\u200Dd\uFEFFe\u2060f\u00ADg', 'abcdefg'],
  ['an invisible filler', '\u3164.mp4', '.mp4'],
  ['a device', 'CON', '_CON'],
  ['a device with an ending', 'nul.txt', '_nul.txt'],
  ['a device with two endings', 'Aux.tar.gz', '_Aux.tar.gz'],
  ['a device with a space', 'prn .txt', '_prn .txt'],
  ['a port with a superscript', 'COM¹.mp4', '_COM¹.mp4'],
  ['a console', 'CONOUT$', '_CONOUT$'],
  ['a name that only begins like a device', 'console.mp4', 'console.mp4'],
  ['trailing dots and spaces', 'name. . ', 'name'],
  ['leading spaces', '  name', 'name'],
  ['a hidden file', '.profile', '.profile'],
  ['a file that a file manager obeys', 'Desktop.ini', '_Desktop.ini'],
  ['a lone surrogate', 'a\uD800b', 'a\uFFFDb'],
  ['emoji', '👨‍👩‍👧.jpg', '👨👩👧.jpg'],
];
for (const [what, name, safe] of EXAMPLES) {
  test(`${what} becomes a safe name`, () => {
    expect(safeName(name)).toBe(safe);
  });
}

test('a long name is cut between characters and keeps its ending', () => {
  const name = safeName(`${'é'.repeat(200)}.mp4`);
  expect(name).toBe(`${'é'.repeat(118)}.mp4`);
  expect(safeName('a'.repeat(300))).toBe('a'.repeat(240));
  const family = safeName(`${'👍🏽'.repeat(40)}.jpg`);
  expect(family).toBe(`${'👍🏽'.repeat(29)}.jpg`);
  expect(safeName(`x${'\u0301'.repeat(400)}`)).toBe(`x${'\u0301'.repeat(119)}`);
  expect(safeName(`${'a'.repeat(239)}  bcd`)).toBe('a'.repeat(239));
  expect(safeName(`a.${'b'.repeat(300)}`)).toBe(`a.${'b'.repeat(238)}`);
});

const WINDOWS_DEVICE = /^(?:con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(?:\.|$)/i;
const nasty = fc.oneof(
  fc.constantFrom(
    '.',
    '..',
    '/',
    '\\',
    'CON',
    'nul',
    '.txt',
    ' ',
    '(2)',
    ':',
    '\u202E',
    '\u200D',
    '\u0301',
    'é',
    'İ',
    'ß',
    '\0',
    '😀',
    'ﬁ',
    'Å',
  ),
  fc.string({ unit: 'binary', maxLength: 5 }),
  fc.string({ unit: 'grapheme', maxLength: 5 }),
);
const name = fc.oneof(
  fc.array(nasty, { maxLength: 8 }).map((parts) => parts.join('')),
  fc.array(nasty, { minLength: 40, maxLength: 200 }).map((parts) => parts.join('')),
);

function isSafe(candidate: string): boolean {
  return (
    candidate !== '' &&
    bytes(candidate) <= MAX_NAME_BYTES &&
    candidate.isWellFormed() &&
    candidate === candidate.normalize('NFC') &&
    !/[/\\<>:"|?*\p{Cc}\p{Cf}]/u.test(candidate) &&
    !/[. ]$|^ /.test(candidate) &&
    !WINDOWS_DEVICE.test(candidate)
  );
}

test('every name becomes safe, and safe names stay as they are', () => {
  fc.assert(
    fc.property(name, (input) => {
      const safe = safeName(input);
      expect(isSafe(safe)).toBe(true);
      expect(safeName(safe)).toBe(safe);
    }),
    { numRuns: RUNS },
  );
});

test('every list of paths becomes a list of safe paths that no disk confuses, and stays as it is the second time', () => {
  const few = fc.constantFrom(
    'a',
    'A',
    'a ',
    'á',
    'a\u0301',
    'b.txt',
    'B.TXT',
    'b (2).txt',
    'CON',
    'ﬀ',
    'ff',
    'a'.repeat(300),
    'a'.repeat(301),
  );
  const path = fc.array(fc.oneof(few, nasty), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(fc.array(path, { maxLength: 8 }), (paths) => {
      const unique = uniqueNames(paths);
      expect(unique.length).toBe(paths.length);
      expect(unique.flat().every(isSafe)).toBe(true);
      const files = unique.map((components) => components.map(collisionKey).join('/'));
      const folders = unique.flatMap((components) =>
        components.slice(0, -1).map((_, depth) => components.slice(0, depth + 1)),
      );
      expect(new Set(files).size).toBe(paths.length);
      // A folder has one spelling, and is no file.
      const spellings = new Map(folders.map((folder) => [folder.map(collisionKey).join('/'), folder.join('/')]));
      expect(folders.every((folder) => spellings.get(folder.map(collisionKey).join('/')) === folder.join('/'))).toBe(
        true,
      );
      expect(files.some((file) => spellings.has(file))).toBe(false);
      expect(uniqueNames(unique)).toEqual(unique);
    }),
    { numRuns: RUNS },
  );
});

test('colliding files are numbered before their ending, colliding folders become one', () => {
  expect(
    uniqueNames([
      ['Film.mp4'],
      ['film.MP4'],
      ['Alben', 'a.jpg'],
      ['ALBEN', 'b.jpg'],
      ['alben', 'A.jpg'],
      ['x'],
      ['x', 'y'],
      ['X', 'z'],
      ['film.mp4'],
    ]),
  ).toEqual([
    ['Film.mp4'],
    ['film (2).MP4'],
    ['Alben', 'a.jpg'],
    ['Alben', 'b.jpg'],
    ['Alben', 'A (2).jpg'],
    ['x'],
    ['x (2)', 'y'],
    ['x (2)', 'z'],
    ['film (3).mp4'],
  ]);
});

test('a numbered name is no longer than a name may be', () => {
  expect(bytes(numberedName(safeName(`${'a'.repeat(300)}.mp4`), 12, 'file'))).toBe(MAX_NAME_BYTES);
  expect(numberedName('Holidays 2.0', 2, 'folder')).toBe('Holidays 2.0 (2)');
});

test('folders nested too deep are left out, the file stays', () => {
  const deep = Array.from({ length: 30 }, (_, level) => `level${level}`);
  const safe = safePathComponents([...deep, 'film.mp4']);
  expect(safe.length).toBe(16);
  expect(safe.at(-1)).toBe('film.mp4');
  expect(safePathComponents([])).toEqual(['_']);
});

test('ten thousand files of one name are told apart without delay', () => {
  const start = performance.now();
  const unique = uniqueNames(Array.from({ length: 10_000 }, () => ['same.jpg']));
  expect(new Set(unique.flat()).size).toBe(10_000);
  expect(unique.at(-1)).toEqual(['same (10000).jpg']);
  expect(performance.now() - start).toBeLessThan(3000);
});
