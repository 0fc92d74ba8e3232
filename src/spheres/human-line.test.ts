import { expect, test } from 'vitest';
import { formatBytes, invitationLine, itemLine, itemName } from './human-line.ts';

test('a shared film reads as one line in any client', () => {
  expect(itemLine({ kind: 'video', name: 'beach.mp4', bytes: 1_234_567_890 })).toBe('📽 beach.mp4 · 1.2 GB');
});

test('an invitation names the sphere', () => {
  expect(invitationLine('Summer')).toBe('✉ “Summer” · Spherecast');
});

test('sizes are written as people know them from disks', () => {
  expect([0, 999, 1000, 15_500, 123_456, 5e12].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '15.5 kB',
    '123 kB',
    '5.0 TB',
  ]);
});

test('a long name is never cut through a character', () => {
  expect(itemName(`${'a'.repeat(199)}🎬.mp4`)).toBe('a'.repeat(199));
  expect(itemName('beach.mp4')).toBe('beach.mp4');
});
