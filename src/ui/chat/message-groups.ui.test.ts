import { expect, test } from 'vitest';
import { parseEventId, parseItemId } from '../../base/id.ts';
import type { MessageView } from '../../contract/views.ts';
import { fakeHex, fakeMember, fakeMessage, fakeSphere, ME } from '../../../test/fixtures/fake-views.ts';
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

const share = (number: number, more: Partial<MessageView> = {}) =>
  fakeMessage(sphere, ben, 'x', {
    id: parseEventId(fakeHex(`share ${number}`)),
    kind: 'item',
    itemId: parseItemId(fakeHex(`item ${number}`)),
    atMs: noon + number * 1_000,
    ...more,
  });

test('many things shared in one go are one line, which keeps its place while it grows', () => {
  const lines = chatLines([share(1), share(2), share(3)]);
  expect(lines.map(({ shares }) => shares.length)).toEqual([3]);
  const grown = chatLines([share(1), share(2), share(3), share(4)]);
  expect(grown.map(({ key, shares }) => [key, shares.length])).toEqual([[lines[0]?.key, 4]]);
});

test('one or two shares stand by themselves', () => {
  expect(chatLines([share(1), share(2)]).map(({ shares }) => shares.length)).toEqual([0, 0]);
});

test('what was said between shares, who shared them and when keeps them apart', () => {
  const said = fakeMessage(sphere, ben, 'look', { atMs: noon + 2_500 });
  expect(chatLines([share(1), share(2), said, share(3), share(4)])).toHaveLength(5);
  expect(chatLines([share(1), share(2), share(3, { from: me.jid }), share(4)])).toHaveLength(4);
  expect(chatLines([share(1), share(2), share(3, { atMs: noon + 3_600_000 })])).toHaveLength(3);
});

test('a share that went wrong is never hidden in a group', () => {
  const lines = chatLines([share(1), share(2), share(3, { state: 'failed', failure: 'too-large' }), share(4)]);
  expect(lines.map(({ message }) => message.state)).toContain('failed');
  expect(lines).toHaveLength(4);
});
