import { expect, test } from 'vitest';
import { fakeMember, fakeMessage, fakeSphere, ME } from '../../../test/fixtures/fake-views.ts';
import { chatLines } from './message-groups.ts';

const sphere = fakeSphere('Sea');
const ben = fakeMember('ben@example.org', 'Ben');
const me = fakeMember(ME, 'Anna');
const noon = new Date(2026, 2, 12, 12).getTime();

test('lines that one person writes in one breath carry the name once', () => {
  const lines = chatLines([
    fakeMessage(sphere, ben, 'a', { atMs: noon }),
    fakeMessage(sphere, ben, 'b', { atMs: noon + 60_000 }),
    fakeMessage(sphere, ben, 'c', { atMs: noon + 20 * 60_000 }),
    fakeMessage(sphere, me, 'd', { atMs: noon + 21 * 60_000 }),
  ]);
  expect(lines.map(({ first }) => first)).toEqual([true, false, true, true]);
});

test('a line from another program is never taken for one of ours', () => {
  const lines = chatLines([
    fakeMessage(sphere, ben, 'a', { atMs: noon }),
    fakeMessage(sphere, ben, 'b', { atMs: noon + 1, state: 'guest' }),
  ]);
  expect(lines[1]?.first).toBe(true);
});

test('a new day is announced', () => {
  const lines = chatLines([
    fakeMessage(sphere, ben, 'a', { atMs: noon }),
    fakeMessage(sphere, ben, 'b', { atMs: noon + 13 * 3_600_000 }),
  ]);
  expect(lines.map(({ newDay }) => newDay)).toEqual([true, true]);
});

test('the state is told in words at our newest line only', () => {
  const lines = chatLines([
    fakeMessage(sphere, me, 'a', { atMs: noon }),
    fakeMessage(sphere, me, 'b', { atMs: noon + 1 }),
    fakeMessage(sphere, ben, 'c', { atMs: noon + 2 }),
  ]);
  expect(lines.map(({ tellState }) => tellState)).toEqual([false, true, false]);
});
