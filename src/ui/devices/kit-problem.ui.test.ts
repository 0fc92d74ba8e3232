import { expect, test } from 'vitest';
import { writeLines } from '../../base/line-code.ts';
import { kitProblem } from './kit-problem.ts';

const lines = writeLines(Uint8Array.from({ length: 70 }, (_, index) => index * 3));

test('a kit is whole as lines, in small letters and as a camera reads it', () => {
  expect(kitProblem(lines.join('\n'))).toBeNull();
  expect(kitProblem(lines.join(' ').toLowerCase())).toBeNull();
  expect(kitProblem(`SPHERECAST:${lines.join('')}`)).toBeNull();
});

test('a wrong sign names its line as people count them', () => {
  const wrong = lines.with(
    1,
    (lines[1] ?? '').replace(/^./, (sign) => (sign === 'A' ? 'B' : 'A')),
  );
  expect(kitProblem(wrong.join('\n'))).toEqual({ kind: 'line', line: 2 });
  expect(kitProblem('  ')).toEqual({ kind: 'empty' });
});
