import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { description } from '../../test/fixtures/upnp-router.ts';
import { errorCode } from '../base/errors.ts';
import { findAll, parseXml, textOf } from './xml.ts';

const DOCUMENT = description('urn:schemas-upnp-org:service:WANIPConnection:2', '/control?a=1&amp;b=2');

test('elements are found at any depth, without their prefixes, with their text decoded', () => {
  const root = parseXml(DOCUMENT);
  expect(root.name).toBe('root');
  expect(findAll(root, 'service')).toHaveLength(2);
  expect(findAll(root, 'controlURL').map(({ text }) => text)).toEqual(['/ctl/L3F', '/control?a=1&b=2']);
  expect(textOf(parseXml('<s:a x="1>2" y=\'/\'><u:b>  one <![CDATA[<two>]]> </u:b><c/></s:a>'), 'b')).toBe('one <two>');
  expect(textOf(root, 'nothing')).toBeUndefined();
});

test('what follows the document does not matter', () => {
  expect(parseXml('\uFEFF<?xml version="1.0"?>\n<a>1</a>\0\0<<').text).toBe('1');
});

test('a maker’s name with stray or unknown entities hides no router', () => {
  const read = (text: string): string => parseXml(`<a>${text}</a>`).text;
  expect(read('AT&T &copy; &#174;&#xAE; &lt;&amp;lt;&gt;')).toBe('AT&T &copy; ®® <&lt;>');
  expect(read('&toString; &#0; &#x110000; &#9999999;')).toBe('&toString; &#0; &#x110000; &#9999999;');
  expect(read('<![CDATA[/control?a=1&amp;b=2&c]]>')).toBe('/control?a=1&amp;b=2&c');
});

test.each([
  '',
  'plain text',
  '<a>',
  '<a></b>',
  '</a>',
  '<a><b></a></b>',
  '<a',
  '<a b="',
  '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
  '<!DOCTYPE a SYSTEM "http://127.0.0.1/x"><a/>',
  '<a><![CDATA[',
  '<a><!-- ',
  '<1>1</1>',
])('%j is refused', (text) => expect(() => parseXml(text)).toThrow(expect.objectContaining({ code: 'bad-input' })));

test('depth, number and length are bounded', () => {
  const nested = (depth: number): string => '<a>'.repeat(depth) + '</a>'.repeat(depth);
  expect(parseXml(nested(32)).name).toBe('a');
  expect(() => parseXml(nested(33))).toThrow(expect.objectContaining({ code: 'bad-input' }));
  expect(() => parseXml(`<a>${'<b/>'.repeat(4_000)}</a>`)).toThrow(expect.objectContaining({ code: 'bad-input' }));
  expect(() => parseXml(`<a>${'x'.repeat(70_000)}</a>`)).toThrow(expect.objectContaining({ code: 'too-large' }));
});

test('the longest hostile documents take no time', () => {
  const units = [
    '<a ',
    '<a b="c" ',
    '<!--',
    '<![CDATA[',
    '&',
    '&amp',
    '<a>',
    '</a ',
    '<?',
    'a'.repeat(100),
    '<a/',
    "<a '",
  ];
  const from = performance.now();
  const refused = units.filter((unit) => {
    const text = `<r>${unit.repeat(Math.floor(65_000 / unit.length))}`;
    return outcome(text) !== 'read';
  });
  expect(refused).toEqual(units);
  expect(performance.now() - from).toBeLessThan(2_000);
});

test('no text breaks the parser', () => {
  const piece = fc.constantFrom(
    '<',
    '>',
    '/',
    'a',
    'b:c',
    '"',
    "'",
    '=',
    ' ',
    '&',
    ';',
    'amp',
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    '<?',
    '<a>',
    '</a>',
  );
  const mutated = fc
    .tuple(fc.nat(DOCUMENT.length), fc.nat(40), fc.array(piece, { maxLength: 3 }))
    .map(([at, cut, put]) => DOCUMENT.slice(0, at) + put.join('') + DOCUMENT.slice(at + cut));
  const text = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
    mutated,
  );
  fc.assert(
    fc.property(text, (input) => {
      expect(['read', 'bad-input', 'too-large']).toContain(outcome(input));
    }),
    { numRuns: fuzzRuns(2_000) },
  );
});

function outcome(text: string): string {
  try {
    parseXml(text);
    return 'read';
  } catch (error) {
    return errorCode(error);
  }
}
