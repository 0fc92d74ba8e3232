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

test('the list of a large folder becomes JSON without holding everything else up', () => {
  const bytes = new Uint8Array(32 * 1024 * 1024).fill(7);
  const before = process.cpuUsage();
  const again = fromJson(toJson({ bytes })) as { bytes: Uint8Array };
  const { user, system } = process.cpuUsage(before);
  expect(again.bytes).toHaveLength(bytes.length);
  expect((user + system) / 1000).toBeLessThan(1000);
});
