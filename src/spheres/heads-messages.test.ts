import { expect, test } from 'vitest';
import type { DeviceKey, EventId } from '../base/id.ts';
import { headsMessages } from './heads-messages.ts';
import type { Tip } from './protocol/gaps.ts';

function tip(device: number, sequence = 0, branch = 0): Tip {
  const hash = `${device} ${sequence} ${branch}` as EventId;
  return { device: String(device).padStart(4, '0') as DeviceKey, sequence, hash };
}

function branches(device: number, count: number): Tip[] {
  return Array.from({ length: count }, (_, branch) => tip(device, 3, branch));
}

test('a short log is told in one message that covers all devices, an empty one too', () => {
  expect(headsMessages([])).toEqual([{ heads: [] }]);
  expect(headsMessages([tip(1), tip(2)])).toEqual([{ heads: [tip(1), tip(2)] }]);
});

test('the branches of a device are never told in two messages, wherever they lie', () => {
  for (let before = 0; before < 70; before += 1) {
    const tips = [...Array.from({ length: before }, (_, device) => tip(device)), ...branches(500, 16), tip(600)];
    const parts = headsMessages(tips);
    expect(parts.flatMap(({ heads }) => heads)).toEqual(tips);
    expect(Math.max(...parts.map(({ heads }) => heads.length))).toBeLessThanOrEqual(32);
    const ends = parts.flatMap(({ heads }) => [...new Set(heads.map(({ device }) => device))]);
    expect(new Set(ends).size).toBe(ends.length);
    expect(parts[0]?.after).toBeUndefined();
    expect(parts.at(-1)?.until).toBeUndefined();
    expect(parts.slice(1).map(({ after }) => after)).toEqual(parts.slice(0, -1).map(({ until }) => until));
  }
});
