import { expect, test } from 'vitest';
import { KeptConnections } from './kept-connections.ts';

test('eight connections are kept, those of who was asked last and of who is being asked', () => {
  using kept = new KeptConnections();
  const first = kept.to('0', () => false);
  const busy = kept.to('1', () => false);
  for (let index = 2; index < 12; index += 1) kept.to(`${index}`, (address) => address === '1');
  expect(kept.size).toBe(8);
  expect(kept.to('1', () => false)).toBe(busy);
  expect(kept.to('0', () => false)).not.toBe(first);
});
