import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../../test/fixtures/fuzz-runs.ts';
import type { Bencoded } from './bencode.ts';
import bencode, { MAX_DEPTH, MAX_VALUES, decode, decodeCanonical, encode, encodingLength } from './bencode.ts';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const latin = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const RUNS = fuzzRuns(2_000);

/** The canonical text of what was decoded, or the message of the refusal. */
function outcome(decoder: (input: Uint8Array) => Bencoded | null, input: Uint8Array): string {
  let decoded: Bencoded | null;
  try {
    decoded = decoder(input);
  } catch (error) {
    return error instanceof Error && error.constructor === Error ? `refused: ${error.message}` : 'wrong kind of error';
  }
  return latin(encode(decoded));
}

const value = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.maxSafeInteger(),
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 12 }), tie('value'), { maxKeys: 5 }),
  ),
})).value;

test('what is encoded decodes to the same value and back to the same bytes', () => {
  fc.assert(
    fc.property(value, (input) => {
      const bytes = encode(input);
      const output = decodeCanonical(bytes);
      expect(encode(output)).toEqual(bytes);
      expect(decode(bytes)).toEqual(output);
      expect(encodingLength(input)).toBe(bytes.length);
    }),
    { numRuns: RUNS },
  );
});

test('bytes of any kind end in a canonical value or an ordinary error, quickly', () => {
  const alphabet = fc.constantFrom(...Array.from('dlie0123456789:-+. \u0000\u00ff', (char) => char.charCodeAt(0)));
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.array(alphabet, { maxLength: 60 }).map((codes) => Uint8Array.from(codes)),
  );
  const start = performance.now();
  fc.assert(
    fc.property(bytes, (input) => {
      const result = outcome(decodeCanonical, input);
      expect(result === latin(input) || result.startsWith('refused: bencode: ')).toBe(true);
    }),
    { numRuns: RUNS * 2 },
  );
  expect(performance.now() - start).toBeLessThan(30_000);
});

test('a canonical text with one byte changed, removed or added never decodes to something that encodes otherwise', () => {
  fc.assert(
    fc.property(value, fc.nat(), fc.nat(255), fc.constantFrom('change', 'remove', 'add'), (input, at, byte, how) => {
      const bytes = Array.from(encode(input));
      const index = at % Math.max(1, bytes.length);
      if (how === 'change') bytes[index] = byte;
      else bytes.splice(index, how === 'remove' ? 1 : 0, ...(how === 'add' ? [byte] : []));
      const mutated = Uint8Array.from(bytes);
      const result = outcome(decode, mutated);
      // A key that is not UTF-8 comes out as hex, the one deliberate difference.
      const exempt = /[\x80-\xff]/.test(latin(mutated)) || mutated.length === 0;
      expect(exempt || result === latin(mutated) || result.startsWith('refused: bencode: ')).toBe(true);
    }),
    { numRuns: RUNS },
  );
});

const REFUSED: Record<string, string> = {
  'a negative string length in a dictionary': 'd-3:',
  'a negative string length in a list': 'l-3:',
  'a negative string length alone': '-1:a',
  'a negative zero length': '-0:',
  'a length with a plus': '+1:a',
  'a length with a leading zero': '01:a',
  'a length beyond the input': '5:abc',
  'a length of a thousand digits': `${'9'.repeat(1000)}:a`,
  'a length that is no number': 'x:a',
  'a string without a colon': '12',
  'an integer without digits': 'ie',
  'a lone minus': 'i-e',
  'minus zero': 'i-0e',
  'an integer with a leading zero': 'i01e',
  'a negative integer with a leading zero': 'i-01e',
  'an integer with a plus': 'i+100e',
  'a fraction': 'i1.5e',
  'an exponent': 'i1e5e',
  'a space in an integer': 'i 1e',
  'an integer beyond 2^53': 'i9007199254740992e',
  'an integer of a thousand digits': `i${'1'.repeat(1000)}e`,
  'an integer without end': 'i12',
  'a list without end': 'l1:a',
  'a dictionary without end': 'd1:a1:b',
  'a key without value': 'd1:ae',
  'a key that is an integer': 'di1e1:ae',
  'keys in the wrong order': 'd1:b1:x1:a1:ye',
  'the same key twice': 'd1:a1:x1:a1:ye',
  'a shorter key after a longer one': 'd2:aai1e1:ai2ee',
  'bytes after the end': 'i1eX',
  'two values': 'i1ei2e',
  'a value too many at the end': 'd1:ai1eee',
  'a lone end': 'e',
  'lists nested too deep': 'l'.repeat(MAX_DEPTH + 2) + 'e'.repeat(MAX_DEPTH + 2),
  'a hundred thousand opened lists': 'l'.repeat(100_000),
  'too many values': `l${'le'.repeat(MAX_VALUES)}e`,
};
for (const [what, text] of Object.entries(REFUSED)) {
  test(`${what} is refused at once`, () => {
    const start = performance.now();
    expect(() => decode(ascii(text))).toThrow(/^bencode: /);
    expect(() => decodeCanonical(ascii(text))).toThrow(/^bencode: /);
    expect(() => decode(text)).toThrow(/^bencode: /);
    expect(performance.now() - start).toBeLessThan(10_000);
  });
}

test('an input larger than any torrent is refused before it is read', () => {
  expect(() => decode(new Uint8Array(17 * 1024 * 1024))).toThrow('too many');
  expect(() => decodeCanonical(ascii('i12345e'), 4)).toThrow('more than 4');
});

test('dictionaries have no prototype, so that no key reaches one', () => {
  const dict = decode(ascii('d9:__proto__d5:filesi1ee8:toStringi2ee')) as Record<string, unknown>;
  expect(Object.getPrototypeOf(dict)).toBeNull();
  expect(Object.keys(dict)).toEqual(['__proto__', 'toString']);
  expect((dict as { files?: unknown }).files).toBeUndefined();
  expect(latin(encode(dict))).toBe('d9:__proto__d5:filesi1ee8:toStringi2ee');
});

test('byte strings are copies of the input, also of a Buffer', () => {
  const input = Buffer.from('3:abc');
  const output = decode(input) as Uint8Array;
  input.fill(0);
  expect(latin(output)).toBe('abc');
  expect(output.constructor).toBe(Uint8Array);
});

test('the calls of the packages that use the npm package work', () => {
  expect(bencode.decode(null)).toBeNull();
  expect(bencode.decode(new Uint8Array())).toBeNull();
  expect(bencode.decode(ascii('XX4:spamYY'), 2, 8, 'utf8')).toBe('spam');
  expect(bencode.decode(ascii('l4:spame'), 'utf8')).toEqual(['spam']);
  expect(latin(bencode.encode({ b: [1, null, undefined, 'é'], a: undefined, c: true }))).toBe(
    'd1:bli1e2:\xc3\xa9e1:ci1ee',
  );
  expect(
    latin(
      bencode.encode(
        new Map<unknown, unknown>([
          ['b', new Set([1])],
          [ascii('a'), ascii('x').buffer],
        ]),
      ),
    ),
  ).toBe('d1:a1:x1:bli1eee');
  expect(bencode.byteLength('spam')).toBe(6);
  expect(latin(bencode.encode(-5n))).toBe('i-5e');
  const target = new Uint8Array(8);
  expect(latin(bencode.encode(7, target, 2))).toBe('\0\0i7e\0\0\0');
  expect(bencode.encode(undefined).length).toBe(0);
});

const DEPENDANTS = [
  'webtorrent',
  'bittorrent-protocol',
  'bittorrent-tracker',
  'create-torrent',
  'parse-torrent',
  'ut_metadata',
  'ut_pex',
  'bittorrent-dht',
  'k-rpc-socket',
];
for (const name of DEPENDANTS) {
  test(`${name} gets this decoder instead of the npm package`, () => {
    const from = createRequire(new URL(`../../../node_modules/${name}/package.json`, import.meta.url));
    expect(realpathSync(from.resolve('bencode'))).toBe(fileURLToPath(new URL('./bencode.ts', import.meta.url)));
  });
}

test('a key that is not UTF-8 reads as hex, as in the npm package, and is refused in our own formats', () => {
  const bytes = Uint8Array.from([0x64, 0x32, 0x3a, 0xff, 0xfe, 0x69, 0x31, 0x65, 0x65]);
  expect({ ...(decode(bytes) as object) }).toEqual({ fffe: 1 });
  expect(() => decodeCanonical(bytes)).toThrow('not UTF-8');
  const clash = Uint8Array.from([0x64, ...ascii('2:ff'), 0x69, 0x31, 0x65, 0x31, 0x3a, 0xff, 0x69, 0x32, 0x65, 0x65]);
  expect(() => decode(clash)).toThrow('two keys read the same');
});

test('keys are sorted as bytes, not as JavaScript text', () => {
  // U+FF5E sorts after U+1F600 as UTF-16 and before it as UTF-8.
  const bytes = encode({ '\u{1F600}': 1, '\uFF5E': 2 });
  expect(() => decodeCanonical(bytes)).not.toThrow();
});

test('what bencoding cannot say is refused', () => {
  for (const bad of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, () => 1, Symbol('x')]) {
    expect(() => encode([bad])).toThrow(/^bencode: /);
  }
  expect(() =>
    encode(
      new Map<unknown, unknown>([
        ['a', 1],
        [ascii('a'), 2],
      ]),
    ),
  ).toThrow('two keys');
  const circle: unknown[] = [];
  circle.push(circle);
  expect(() => encode(circle)).toThrow('too deep');
});
