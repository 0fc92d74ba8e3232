import { expect, test } from 'vitest';
import { SettledLooks } from './settled-looks.ts';

/** The ticks, of so many, at which it was time. */
function looksOf(looks: SettledLooks, ticks: number): number[] {
  return Array.from({ length: ticks }, (_, index) => (looks.tick() ? [index + 1] : [])).flat();
}

test('a better path is looked for once, when the connection is settled at both ends', () => {
  const looks = new SettledLooks();
  looks.connected('turn');
  expect(looksOf(looks, 100)).toEqual([17]);
});

test('a member whose connections come and go all the time fills no memory, and has us look once a second', () => {
  const looks = new SettledLooks();
  for (let second = 0; second < 60; second += 1) {
    for (let count = 0; count < 1_000; count += 1) looks.connected('webrtc');
    looks.tick();
  }
  const { planned } = looks;
  expect(planned).toBeLessThanOrEqual(17);
  expect(looksOf(looks, 100)).toHaveLength(planned);
});

test('over the best path there is nothing better to look for', () => {
  const looks = new SettledLooks();
  looks.connected('lan');
  expect(looks.planned).toBe(0);
});
