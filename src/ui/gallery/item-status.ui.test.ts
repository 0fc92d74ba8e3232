import { expect, test } from 'vitest';
import { fakeItem, fakeSphere } from '../../../test/fixtures/fake-views.ts';
import { itemStateSchema } from '../../contract/views.ts';
import {
  canBeOpened,
  canShareAgain,
  canShareVersion,
  findsNobody,
  groupByDay,
  isArriving,
  itemStatus,
  lacksKey,
} from './item-status.ts';

const sphere = fakeSphere('Sea');

test('every state of the contract has a way to be shown', () => {
  const kinds = itemStateSchema.options.map((state) => itemStatus({ state, downBps: 1 }).kind);
  expect(kinds.every((kind) => typeof kind === 'string')).toBe(true);
});

test('a download that gets nothing is waiting, not moving', () => {
  expect(itemStatus({ state: 'downloading', downBps: 0 }).kind).toBe('waiting');
  expect(itemStatus({ state: 'downloading', downBps: 1 }).kind).toBe('moving');
});

test('of an item that waits for its key, or cannot be served without it, one reads so', () => {
  const error = { code: 'cannot-encrypt', message: 'the key of this item has not come yet' } as const;
  expect(lacksKey({ error })).toBe(true);
  expect([null, { ...error, code: 'disconnected' } as const].map((other) => lacksKey({ error: other }))).toEqual([
    false,
    false,
  ]);
});

test('of a public item for which nobody was found one reads so, but of no other', () => {
  const none = { trackers: 0, dht: 0, pex: 0 };
  const waiting = { state: 'downloading', downBps: 0 } as const;
  expect(findsNobody({ ...waiting, foundBy: none })).toBe(true);
  expect(findsNobody({ ...waiting, foundBy: { ...none, trackers: 1 } })).toBe(false);
  expect(findsNobody({ ...waiting, foundBy: null })).toBe(false);
  expect(findsNobody({ state: 'paused', downBps: 0, foundBy: none })).toBe(false);
});

test('what was never started is not arriving', () => {
  expect(isArriving({ state: 'listed', downBps: 0 })).toBe(false);
  expect(isArriving({ state: 'paused', downBps: 0 })).toBe(true);
});

test('only our own edited file can be shared again', () => {
  expect(canShareAgain({ state: 'changed', mine: true, isPublic: false, path: '/a' })).toBe(true);
  expect(canShareAgain({ state: 'changed', mine: false, isPublic: false, path: '/a' })).toBe(false);
  expect(canShareAgain({ state: 'changed', mine: true, isPublic: true, path: '/a' })).toBe(false);
  expect(canShareAgain({ state: 'missing', mine: true, isPublic: false, path: '/a' })).toBe(false);
});

test('only an edited file of somebody else is offered as a version of ours', () => {
  expect(canShareVersion({ state: 'changed', mine: false, isPublic: false, path: '/a' })).toBe(true);
  expect(canShareVersion({ state: 'changed', mine: true, isPublic: false, path: '/a' })).toBe(false);
  expect(canShareVersion({ state: 'complete', mine: false, isPublic: false, path: '/a' })).toBe(false);
});

test('only what is not encrypted, is of members and is here can be opened to other programs', () => {
  const item = { state: 'sharing', plain: true, isPublic: false, path: '/a' } as const;
  expect(canBeOpened(item)).toBe(true);
  for (const other of [{ plain: false }, { isPublic: true }, { path: null }, { state: 'changed' as const }]) {
    expect(canBeOpened({ ...item, ...other })).toBe(false);
  }
});

test('items are cut into days without changing their order', () => {
  const at = (name: string, ...when: [number, number, number, number]) =>
    fakeItem(sphere, name, 'image', { atMs: new Date(...when).getTime() });
  const groups = groupByDay([at('c', 2026, 2, 12, 20), at('b', 2026, 2, 12, 1), at('a', 2026, 2, 11, 23)]);
  expect(groups.map((group) => group.items.map(({ name }) => name))).toEqual([['c', 'b'], ['a']]);
});
