import { expect, test } from 'vitest';
import { fromJson, toJson } from './json.ts';

test('bytes come back from JSON, and text that only looks like them stays text', () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index);
  const value = {
    list: [{ bytes }, { bytes: new Uint8Array() }],
    text: { $bytes: 'no base64' },
    plain: { a: [1, null] },
  };
  expect(fromJson(toJson(value))).toEqual(value);
  const [first] = (fromJson(toJson([bytes])) as Uint8Array[]) ?? [];
  expect(first?.constructor).toBe(Uint8Array);
});

test('the list of a large folder becomes JSON about as fast as its bytes become text, not number by number', () => {
  const bytes = new Uint8Array(32 * 1024 * 1024).fill(7);
  const copied = cpuMsOf(() => Buffer.from(Buffer.from(bytes).toString('base64'), 'base64'));
  let again = new Uint8Array();
  const taken = cpuMsOf(() => {
    ({ bytes: again } = fromJson(toJson({ bytes })) as { bytes: Uint8Array<ArrayBuffer> });
  });
  expect(again).toHaveLength(bytes.length);
  expect(taken).toBeLessThan(15 * copied);
});

function cpuMsOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
