import { expect, test } from 'vitest';
import { parseDeviceKey } from '../base/id.ts';
import { FoundEndpoints } from './found-endpoints.ts';

const ben = parseDeviceKey('b'.repeat(64));

/** Whether each address found room. */
function add(found: FoundEndpoints, source: string, count: number): boolean[] {
  return Array.from({ length: count }, (_, number) => found.add(`${source}:${number}`, source, number).added);
}
const endpoints = (found: FoundEndpoints): string[] => Array.from(found, ({ endpoint }) => endpoint);

test('a source has room for sixteen addresses that nobody was met at', () => {
  const found = new FoundEndpoints();
  expect(add(found, 'a', 20).filter(Boolean)).toHaveLength(16);
  found.good('a:0', ben, 100);
  expect(found.add('a:16', 'a', 100).added).toBe(true);
  expect([...found][0]).toEqual({ endpoint: 'a:0', device: ben, source: 'a' });
});

test('a new address takes the place of the one of its source that failed most often', () => {
  const found = new FoundEndpoints();
  add(found, 'a', 16);
  for (const failing of ['a:3', 'a:5', 'a:5']) found.failed(failing);
  expect(found.add('a:new', 'a', 100)).toEqual({ added: true, dropped: 'a:5' });
  expect(found.add('a:newer', 'a', 100)).toEqual({ added: true, dropped: 'a:3' });
  expect(found.add('a:newest', 'a', 100)).toEqual({ added: false, dropped: null });
});

test('a full list has room for a source that named few, never at the cost of where a member was met', () => {
  const found = new FoundEndpoints();
  for (const source of ['a', 'b', 'c', 'd']) add(found, source, 16);
  found.good('a:0', ben, 100);
  for (let number = 0; number < 10; number += 1) expect(found.add(`e:${number}`, 'e', 200).added).toBe(true);
  expect(endpoints(found)).toHaveLength(64);
  expect(endpoints(found)).toContain('a:0');
  const perSource = (source: string): number => endpoints(found).filter((one) => one.startsWith(`${source}:`)).length;
  expect(perSource('e')).toBe(10);
  expect(Math.min(...['a', 'b', 'c', 'd'].map(perSource))).toBeGreaterThan(12);
});

test('what fails for half an hour since a member was last met there is forgotten', () => {
  const found = new FoundEndpoints();
  found.add('silent', 'a', 0);
  found.add('untried', 'a', 0);
  found.add('met', 'a', 0);
  found.failed('silent');
  found.failed('met');
  found.good('met', ben, 20 * 60_000);
  found.failed('met');
  expect(found.expire(31 * 60_000)).toEqual(['silent']);
  expect(found.expire(51 * 60_000)).toEqual(['met']);
  expect(endpoints(found)).toEqual(['untried']);
});
