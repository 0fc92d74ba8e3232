import { expect, test } from 'vitest';
import { errorCode } from './errors.ts';
import { parseBareJid, parseInfoHash, parseSphereId } from './id.ts';

function codeOf(parse: () => unknown): string {
  try {
    parse();
    return 'accepted';
  } catch (error) {
    return errorCode(error);
  }
}

test.each([
  ['Ana@Example.ORG', 'ana@example.org'],
  ['  ana@example.org ', 'ana@example.org'],
  ['zoe\u0308@example.org', 'zo\u00eb@example.org'],
  ['علي@مثال.إختبار', 'علي@مثال.إختبار'],
  ['ana+tag@[::1]', 'ana+tag@[::1]'],
])('%j is the address %j', (text, address) => {
  expect(parseBareJid(text)).toBe(address);
  expect(parseBareJid(parseBareJid(text))).toBe(address);
});

test.each([
  '',
  'ana',
  '@example.org',
  'ana@',
  'ana@example.org/phone',
  'a@b@c',
  'an a@example.org',
  'ana@exam\u0000ple.org',
  `${'a'.repeat(256)}@example.org`,
  // Shown, these read as another address than they are.
  'ana\u202Egro.elpmaxe@example.org',
  'ana\u2066@example.org',
  'a\u200Bna@example.org',
  'ana@example\u200F.org',
])('%j is no address', (text) => expect(codeOf(() => parseBareJid(text))).toBe('bad-input'));

test('an id has one spelling and one length', () => {
  expect(parseSphereId('0a'.repeat(32))).toBe('0a'.repeat(32));
  for (const text of ['0A'.repeat(32), '0a'.repeat(31), `${'0a'.repeat(32)}\n`, 'zz'.repeat(32)])
    expect(codeOf(() => parseSphereId(text))).toBe('bad-input');
  expect(codeOf(() => parseInfoHash('0a'.repeat(32)))).toBe('bad-input');
});
