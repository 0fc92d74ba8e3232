import { expect, test } from 'vitest';
import { codeOf } from '../../test/fixtures/xmpp-accounts.ts';
import { saslPrep } from './sasl-prep.ts';
import { ScramExchange } from './scram.ts';

const USER = { username: 'user', password: 'pencil', binding: 'impossible' } as const;
const RFC5802 = { ...USER, hash: 'sha1', nonce: 'fyko+d2lbbFgONRv9qkxdawL' } as const;
const RFC7677 = { ...USER, hash: 'sha256', nonce: 'rOprNGfwEbeRWgbNEkqO' } as const;
const SALT = 's=QSXCR+Q6sek8bf92,i=4096';
const FIRST = `r=${RFC5802.nonce}3rfcNHYJY1ZVvWVs7j,${SALT}`;

test('the example of RFC 5802 §5', async () => {
  const exchange = new ScramExchange(RFC5802);
  expect(exchange.firstMessage).toBe('n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL');
  expect(await exchange.finalMessage(FIRST)).toBe(
    'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
  );
  exchange.prove('v=rmF9pqV8S7suAoZWja4dJRkFsKQ=');
  expect(exchange.isProven).toBe(true);
});

test('the example of RFC 7677 §3', async () => {
  const exchange = new ScramExchange(RFC7677);
  const first = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096';
  expect(await exchange.finalMessage(first)).toBe(
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  );
  exchange.prove('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=');
  expect(exchange.isProven).toBe(true);
});

test('a binding stands in the header and in the proof, and a binding that the server does not offer is told', async () => {
  const binding = { type: 'tls-exporter', data: Uint8Array.of(1, 2, 3) } as const;
  const bound = new ScramExchange({ ...RFC5802, binding });
  expect(bound.firstMessage).toMatch(/^p=tls-exporter,,n=user,/);
  const channel = Buffer.concat([Buffer.from('p=tls-exporter,,'), binding.data]).toString('base64');
  expect(await bound.finalMessage(FIRST)).toContain(`c=${channel},`);
  expect(new ScramExchange({ ...RFC5802, binding: 'unused' }).firstMessage).toMatch(/^y,,/);
});

test('names with commas and equals signs, and other spellings of a password', () => {
  expect(new ScramExchange({ ...RFC5802, username: 'a=b,c' }).firstMessage).toContain('n=a=3Db=2Cc,');
  expect(saslPrep('I\u00ADX \u2168 a\u00A0b \uFB01')).toBe('IX IX a b fi');
});

test.each([
  ['none of ours', `r=other3rfc,${SALT}`],
  ['nothing but ours', `r=${RFC5802.nonce},${SALT}`],
])('a challenge whose nonce is %s is refused', async (_, challenge) => {
  expect(await codeOf(new ScramExchange(RFC5802).finalMessage(challenge))).toBe('bad-certificate');
});

test.each([
  ['an extension that must be understood', `m=x,${FIRST}`],
  ['too few rounds', FIRST.replace('4096', '1')],
  ['rounds without end', FIRST.replace('4096', '999999999')],
  ['no salt', FIRST.replace('s=QSXCR+Q6sek8bf92,', '')],
  ['an error', 'e=other-error'],
])('a challenge with %s is refused', async (_, challenge) => {
  expect(await codeOf(new ScramExchange(RFC5802).finalMessage(challenge))).toBe('bad-certificate');
});

test.each([
  ['another signature', 'v=AAAAAAAAAAAAAAAAAAAAAAAAAAA='],
  ['a short signature', 'v=rmF9'],
  ['nothing', ''],
  ['an error', 'e=invalid-proof'],
])('a server whose last word is %s has proven nothing', async (_, last) => {
  const exchange = new ScramExchange(RFC5802);
  await exchange.finalMessage(FIRST);
  expect(() => exchange.prove(last)).toThrow(/does not prove/);
  expect(exchange.isProven).toBe(false);
});

test('a server that proves itself before it was asked, or asks twice, is refused', async () => {
  const exchange = new ScramExchange(RFC5802);
  expect(() => exchange.prove('v=rmF9pqV8S7suAoZWja4dJRkFsKQ=')).toThrow(/does not prove/);
  await exchange.finalMessage(FIRST);
  expect(await codeOf(exchange.finalMessage(FIRST))).toBe('bad-certificate');
});
