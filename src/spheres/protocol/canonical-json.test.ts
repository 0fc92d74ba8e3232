import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../../test/fixtures/fuzz-runs.ts';
import { fromUtf8, toUtf8 } from '../../base/bytes.ts';
import { AppError } from '../../base/errors.ts';
import { decodeCanonical, encodeCanonical } from './canonical-json.ts';

const key = fc.string({ unit: 'grapheme' }).filter((name) => name !== '__proto__');
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.string({ unit: 'grapheme' }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4 }),
  ),
}));

test('members are sorted by code unit, without white space', () => {
  const bytes = encodeCanonical({ b: [1, -2, null], a: { é: true, Z: 'x"\n' }, '10': 0, '9': -0 });
  expect(fromUtf8(bytes)).toBe('{"10":0,"9":0,"a":{"Z":"x\\"\\n","é":true},"b":[1,-2,null]}');
});

test('what was encoded decodes to the same value and only from these bytes', () => {
  fc.assert(
    fc.property(value, (json) => {
      const bytes = encodeCanonical(json);
      const decoded = decodeCanonical(bytes, bytes.length);
      expect(encodeCanonical(decoded)).toEqual(bytes);
      expect(decoded).toEqual(JSON.parse(JSON.stringify(json)));
    }),
    { numRuns: fuzzRuns(2000) },
  );
});

test.each([
  ['white space', '{"a": 1}'],
  ['members out of order', '{"b":1,"a":2}'],
  ['a doubled member', '{"a":1,"a":1}'],
  ['a fraction', '{"a":1.5}'],
  ['an exponent', '{"a":1e3}'],
  ['minus zero', '{"a":-0}'],
  ['a number that is not safe', '{"a":9007199254740993}'],
  ['an escape that is not needed', '{"a":"\\u0041"}'],
  ['half a surrogate pair', '{"a":"\\ud800"}'],
  ['a member that changes a prototype', '{"__proto__":{"x":1}}'],
  ['a byte order mark', '\ufeff{}'],
  ['trailing bytes', '{}\n'],
  ['no JSON', '{"a"'],
  ['nothing', ''],
  ['nesting beyond 16', `${'['.repeat(17)}${']'.repeat(17)}`],
  ['very deep nesting', '['.repeat(5000)],
])('%s is refused', (_name, text) => {
  expect(() => decodeCanonical(toUtf8(text), 8192)).toThrow(AppError);
});

test('bytes that are not UTF-8 or too many are refused', () => {
  expect(() => decodeCanonical(Uint8Array.of(0x22, 0xff, 0x22), 100)).toThrow('not UTF-8');
  expect(() => decodeCanonical(toUtf8('"123456"'), 7)).toThrow('too long');
});

test('nesting of exactly 16 is taken', () => {
  const text = `${'['.repeat(16)}${']'.repeat(16)}`;
  expect(encodeCanonical(decodeCanonical(toUtf8(text), 100))).toEqual(toUtf8(text));
});
