import { expect, test } from 'vitest';
import { readLines, writeLines } from './line-code.ts';

const bytesOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => (index * 37 + 11) & 255);

test('bytes of any length come back from their lines', () => {
  for (let length = 1; length <= 120; length += 1) {
    const read = readLines(writeLines(bytesOf(length)).join('\n'));
    expect(read).toEqual({ kind: 'read', bytes: bytesOf(length) });
  }
});

test('a line is six groups of four, and what people make of it is read the same', () => {
  const lines = writeLines(bytesOf(40));
  expect(lines[0]).toMatch(/^([0-9A-HJKMNP-TV-Z]{4} ){5}[0-9A-HJKMNP-TV-Z]{4}$/);
  const typed = lines.join('').toLowerCase().replaceAll(' ', '-').replaceAll('0', 'o').replaceAll('1', 'l');
  expect(readLines(typed)).toEqual({ kind: 'read', bytes: bytesOf(40) });
});

test('one wrong sign, two exchanged neighbours and two exchanged lines are found in their line', () => {
  const lines = writeLines(bytesOf(60));
  const text = lines.map((line) => line.replaceAll(' ', '')).join('');
  for (let at = 0; at < text.length; at += 1) {
    const line = Math.floor(at / 24);
    for (const sign of '07KZ') {
      if (text[at] === sign) continue;
      expect(readLines(text.slice(0, at) + sign + text.slice(at + 1)), `${at}`).toEqual({ kind: 'wrong', line });
    }
    const next = text[at + 1];
    if (next === undefined || next === text[at] || at % 24 === 23) continue;
    const swapped = text.slice(0, at) + next + text[at] + text.slice(at + 2);
    expect(readLines(swapped), `${at}`).toEqual({ kind: 'wrong', line });
  }
  expect(readLines([lines[1], lines[0], ...lines.slice(2)].join(' '))).toMatchObject({ kind: 'wrong' });
  expect(readLines(text.slice(0, 30))).toMatchObject({ kind: 'wrong', line: 1 });
});
