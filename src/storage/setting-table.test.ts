import { expect, test } from 'vitest';
import { StorageFolder } from '../../test/fixtures/storage.ts';

test('a setting that was written and undone is what it was, and so is one that was not there', () => {
  using folder = new StorageFolder();
  using storage = folder.open();
  const read = (key: string) => storage.settings.get(key, (value) => value);
  storage.settings.set('kept', 1);
  const write = (): never => {
    storage.settings.set('kept', 2);
    storage.settings.set('new', 2);
    expect([read('kept'), read('new')]).toEqual([2, 2]);
    throw new Error('undone');
  };
  expect([read('kept'), read('new')]).toEqual([1, undefined]);
  expect(() => storage.transaction(write)).toThrow('undone');
  expect([read('kept'), read('new')]).toEqual([1, undefined]);
  storage.settings.remove('kept');
  expect(read('kept')).toBeUndefined();
});
