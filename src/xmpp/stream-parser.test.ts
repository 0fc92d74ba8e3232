import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fuzzRuns } from '../../test/fixtures/fuzz-runs.ts';
import { errorCode } from '../base/errors.ts';
import { type Element, xml } from './element.ts';
import { isDropped, StreamParser } from './stream-parser.ts';

const HEADER =
  "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');

interface Run {
  readonly stanzas: Element[];
  readonly texts: string[];
  readonly errors: unknown[];
  readonly ended: boolean;
}

function run(chunks: readonly Uint8Array[]): Run {
  const parser = new StreamParser();
  const stanzas: Element[] = [];
  const errors: unknown[] = [];
  let ended = false;
  parser.on('element', (element: Element) => stanzas.push(element));
  parser.on('error', (error) => errors.push(error));
  parser.on('end', () => {
    ended = true;
  });
  for (const chunk of chunks) parser.write(chunk);
  return { stanzas, texts: stanzas.map(String), errors, ended };
}

const parse = (content: string): Run => run([bytes(HEADER + content)]);

/** Cuts at the given places, which may fall inside a character. */
function cut(data: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [...new Set(places.map((place) => place % data.length))].toSorted((a, b) => a - b);
  return [0, ...sorted].map((start, index) => data.subarray(start, sorted[index] ?? data.length));
}

const text = fc.string({ unit: 'grapheme', maxLength: 20 }).map((value) => value.replace(/\r/g, ''));
const name = fc.constantFrom('message', 'presence', 'iq', 'x', 'body', 'é');
const stanza = fc.letrec<{ element: Element }>((tie) => ({
  element: fc
    .record({
      name,
      attrs: fc.dictionary(
        fc.constantFrom('id', 'to', 'from', 'xml:lang', 'xmlns'),
        text.filter((value) => value !== ''),
      ),
      content: fc.array(fc.oneof({ maxDepth: 3 }, text, tie('element')), { maxLength: 4 }),
    })
    .map((parts) => xml(parts.name, parts.attrs, ...parts.content)),
}));

describe('chunk splitting', () => {
  test('any split of the bytes gives the same stanzas', () => {
    const property = fc.property(
      fc.array(stanza.element, { minLength: 1, maxLength: 3 }),
      fc.array(fc.nat(), { maxLength: 12 }),
      (elements, places) => {
        const data = bytes(`${HEADER}\n${elements.map(String).join(' ')}</stream:stream>`);
        const whole = run([data]);
        const split = run(cut(data, places));
        expect(whole.errors).toEqual([]);
        expect(whole.stanzas).toHaveLength(elements.length);
        expect(split.texts).toEqual(whole.texts);
        expect(split.ended).toBe(true);
      },
    );
    fc.assert(property, { numRuns: fuzzRuns(500) });
  });

  test('any bytes at all, however split, never throw and give the same outcome', () => {
    const piece = fc.constantFrom(
      '<',
      '>',
      '</',
      '/>',
      '<![CDATA[',
      ']]>',
      '<!--',
      '&amp;',
      '&#',
      'a',
      ' b="',
      "'",
      'é',
      '<m>',
      '</m>',
    );
    const property = fc.property(
      fc.array(piece, { maxLength: 20 }),
      fc.array(fc.nat(), { maxLength: 8 }),
      (parts, places) => {
        const data = bytes(HEADER + parts.join(''));
        const whole = run([data]);
        const split = run(cut(data, places));
        expect(split.texts).toEqual(whole.texts);
        expect(split.errors.length).toBe(whole.errors.length);
      },
    );
    fc.assert(property, { numRuns: fuzzRuns(500) });
  });

  test('a stanza sent byte by byte is whole', () => {
    const body = 'é€🎬<![CDATA[<x>]]]]>&lt;';
    const data = bytes(`${HEADER}<message from='a@b/ü'><body>${body}</body></message>`);
    const { stanzas } = run(Array.from(data, (byte) => Uint8Array.of(byte)));
    expect(stanzas[0]?.getChildText('body')).toBe('é€🎬<x>]]<');
    expect(stanzas[0]?.attrs['from']).toBe('a@b/ü');
  });
});

describe('namespaces', () => {
  test('a prefix and a default namespace give the same element', () => {
    const { stanzas } = parse(
      "<message><p:x xmlns:p='urn:p'><p:y/></p:x></message><c:message xmlns:c='jabber:client'/>",
    );
    expect(stanzas[0]?.getChild('x', 'urn:p')?.getChild('y', 'urn:p')?.name).toBe('y');
    expect(stanzas[1]?.is('message', 'jabber:client')).toBe(true);
  });

  test('an element in another namespace is not taken for one of the stream', () => {
    const { stanzas } = parse("<message xmlns='urn:other'/>");
    expect(stanzas[0]?.is('message', 'jabber:client')).toBe(false);
  });

  test.each([
    ['an unbound prefix', '<message><p:x/></message>'],
    ['an unbound prefix of an attribute', "<message><x p:a='1'/></message>"],
    ['an element without a namespace', "<message><x xmlns=''/></message>"],
    ['two colons', "<message><p:x:y xmlns:p='urn:p'/></message>"],
    ['a reserved prefix', "<message><x xmlns:xmlns='urn:p'/></message>"],
  ])('%s drops the stanza and not the stream', (_, content) => {
    const { stanzas, errors } = parse(`${content}<presence/>`);
    expect(errors).toEqual([]);
    expect(stanzas.map((element) => [element.name, isDropped(element)])).toEqual([
      ['message', true],
      ['presence', false],
    ]);
  });
});

describe('limits', () => {
  const attributes = Array.from({ length: 65 }, (_, index) => ` a${index}='1'`).join('');
  test.each([
    ['too many bytes', `<message id='7' from='a@b'><body>${'x'.repeat(300_000)}</body></message>`],
    ['a large attribute', `<message id='7' from='a@b'><x y='${'x'.repeat(300_000)}'/></message>`],
    ['too many levels', `<message id='7' from='a@b'>${'<x>'.repeat(70)}${'</x>'.repeat(70)}</message>`],
    ['too many attributes', `<message id='7' from='a@b'><x${attributes}/></message>`],
    ['too many attributes of its own', `<message id='7' from='a@b'${attributes}/>`],
  ])('a stanza with %s is dropped down to its name and address', (_, content) => {
    const { stanzas, errors } = parse(`${content}<presence><show>away</show></presence>`);
    expect(errors).toEqual([]);
    expect(stanzas.map(isDropped)).toEqual([true, false]);
    expect(stanzas[0]?.attrs).toEqual({ id: '7', from: 'a@b', xmlns: 'jabber:client' });
    expect(stanzas[0]?.children).toEqual([]);
    expect(stanzas[1]?.getChildText('show')).toBe('away');
  });

  test('64 levels and 64 attributes are let through', () => {
    const allowed = Array.from({ length: 64 }, (_, index) => ` a${index}='1'`).join('');
    const { stanzas } = parse(`<message>${'<x>'.repeat(63)}${'</x>'.repeat(63)}</message><message${allowed}/>`);
    expect(stanzas.map(isDropped)).toEqual([false, false]);
  });

  test.each([
    ['text', '<message><body>', 'x'],
    ['attribute', "<message a='", 'x'],
    ['tag name', '<', 'x'],
    ['CDATA section', '<message><![CDATA[', 'x'],
    ['list of children', '<message>', '<x/>'],
    ['chain of children', '<message>', '<x>'],
  ])('an endless %s ends the stream after bounded work', (_, start, filler) => {
    const parser = new StreamParser();
    const errors: unknown[] = [];
    parser.on('error', (error) => errors.push(error));
    parser.write(bytes(HEADER + start));
    const chunk = bytes(filler.repeat(256));
    const startMs = performance.now();
    for (let count = 0; count < 20_000 && errors.length === 0; count += 1) parser.write(chunk);
    expect(errors.map(errorCode)).toEqual(['too-large']);
    expect(performance.now() - startMs).toBeLessThan(5000);
  });

  test('a day of keep-alive spaces counts for nothing', () => {
    const parser = new StreamParser();
    const stanzas: Element[] = [];
    parser.on('element', (element: Element) => stanzas.push(element));
    parser.write(bytes(HEADER));
    for (let count = 0; count < 2000; count += 1) parser.write(bytes(' '.repeat(1024)));
    parser.write(bytes('<presence/>'));
    expect(stanzas.map(isDropped)).toEqual([false]);
  });
});

describe('hostile XML', () => {
  test.each([
    ['a document type', "<!DOCTYPE x [<!ENTITY a 'b'>]>"],
    ['an unknown reference', '<message>&bomb;</message>'],
    ['a reference to a forbidden character', '<message>&#0;</message>'],
    ['a reference beyond Unicode', '<message>&#x110000;</message>'],
    ['a bare ampersand', '<message>a & b</message>'],
    ['a comment', '<message><!-- x --></message>'],
    ['a processing instruction', '<message><?php x?></message>'],
    ['a second declaration', "<?xml version='1.0'?>"],
    ['a duplicate attribute', "<message id='1' id='2'/>"],
    ['a wrong end tag', '<message><body></message></body>'],
    ['an extra end tag', '</message>'],
    ['text outside a stanza', 'hello'],
    ['content after the end', '</stream:stream><message/>'],
    ['an unquoted attribute', '<message id=1/>'],
    ['an empty name', '<message></></message>'],
    ['an attribute in an end tag', "<message></message id='1'>"],
    ['a control character', '<message>\u0000</message>'],
    ['the end of a CDATA section in text', '<message>]]></message>'],
    ['an unescaped angle bracket in an attribute', "<message id='<'/>"],
  ])('%s ends the stream with one error', (_, content) => {
    const { errors } = parse(`${content}<presence/>`);
    expect(errors).toHaveLength(1);
  });

  test.each([
    ['broken UTF-8', Uint8Array.of(0xc3, 0x28)],
    ['a surrogate in UTF-8', Uint8Array.of(0xed, 0xa0, 0x80)],
    ['an overlong character', Uint8Array.of(0xc0, 0xaf)],
  ])('%s ends the stream with one error', (_, data) => {
    const { errors } = run([bytes(`${HEADER}<message>`), data, bytes('</message>')]);
    expect(errors).toHaveLength(1);
  });

  test.each([
    ['not XML', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['another document', "<html xmlns='http://www.w3.org/1999/xhtml'>"],
    ['an unnamed root', '<stream>'],
  ])('a stream that begins with %s is refused', (_, content) => {
    expect(run([bytes(content)]).errors).toHaveLength(1);
  });

  test('attributes named like object members are ordinary attributes', () => {
    const { stanzas } = parse("<message __proto__='1' constructor='2' toString='3' hasOwnProperty='4'/>");
    expect(Object.getPrototypeOf(stanzas[0]?.attrs)).toBe(Object.prototype);
    expect(String(stanzas[0])).toContain('hasOwnProperty="4"');
  });

  test('an error without a listener is swallowed', () => {
    const parser = new StreamParser();
    parser.write(bytes('nonsense'));
    parser.write(bytes(HEADER));
    expect(parser.isBetweenStanzas).toBe(false);
  });
});
