import { expect, test } from 'vitest';
import { toUtf8 } from '../base/bytes.ts';
import { createSecretBox } from './secret-box.ts';

const box = createSecretBox({ masterKey: new Uint8Array(32).fill(1) });
const damaged: unknown = expect.objectContaining({ code: 'database-damaged' });

test('a sealed value opens to the same bytes', () => {
  for (const length of [0, 1, 16, 100_000]) {
    const bytes = new Uint8Array(length).fill(9);
    expect(box.open(box.seal(bytes, 'account.password'), 'account.password')).toEqual(bytes);
  }
});

test('sealing the same value twice gives different bytes', () => {
  const bytes = toUtf8('secret');
  expect(box.seal(bytes, 'a')).not.toEqual(box.seal(bytes, 'a'));
});

test('a value moved to another column, altered, cut short or under another key does not open', () => {
  const sealed = box.seal(toUtf8('secret'), 'account.password');
  expect(() => box.open(sealed, 'account.server')).toThrow(damaged);
  for (const index of sealed.keys()) {
    expect(() => box.open(sealed.with(index, (sealed[index] ?? 0) ^ 1), 'account.password')).toThrow(damaged);
    expect(() => box.open(sealed.subarray(0, index), 'account.password')).toThrow(damaged);
  }
  const other = createSecretBox({ masterKey: new Uint8Array(32).fill(2) });
  expect(() => other.open(sealed, 'account.password')).toThrow(damaged);
});

test('a master key of the wrong length is refused', () => {
  expect(() => createSecretBox({ masterKey: new Uint8Array(31) })).toThrow(
    expect.objectContaining({ code: 'bad-input' }),
  );
});
