import { expect, test } from 'vitest';
import type { BareJid, DeviceKey, EventId } from '../base/id.ts';
import type { SignedEvent } from './protocol/event.ts';
import type { Sphere } from './sphere.ts';
import { withheldFrom } from './withheld-from.ts';

const ben = 'ben@a.test' as BareJid;
const device = 'de'.repeat(32) as DeviceKey;

function eventOf(sequence: number): SignedEvent {
  const header = { device, sequence, lamport: 10 + sequence };
  return { id: `event ${sequence}` as EventId, type: 'message', header } as SignedEvent;
}

/** Numbers of what is found, when these of Ben's events were given and the archive holds these. */
function found(given: readonly number[], archived: readonly number[], { joinedLamport = 0, isLive = false } = {}) {
  const events = new Map(Array.from({ length: 20 }, (_, number) => [eventOf(number).id, eventOf(number)]));
  const state = { devices: new Map([[device, { jid: ben }]]) };
  const sphere = { log: events, state, row: { joinedLamport } } as unknown as Sphere;
  const suspects = given.map((number) => ({ event: eventOf(number), isLive, earlier: eventOf(number), sinceMs: 0 }));
  const entries = archived.map((number) => ({ from: ben, event: eventOf(number).id }));
  return withheldFrom(sphere, suspects, entries).map(({ event }) => event.header.sequence);
}

test('an event that is missing between what its computer said before and after was withheld', () => {
  expect(found([2], [1, 3], { isLive: true })).toEqual([2]);
  expect(found([2, 4], [1, 3, 5])).toEqual([2, 4]);
});

test('one stretch that is missing, at the beginning, at the end or in between, shows nothing', () => {
  expect(found([2, 3], [1, 4])).toEqual([]);
  for (const archived of [[3, 4], [0, 1], []]) expect(found([2], archived, { isLive: true })).toEqual([]);
});

test('what is there after all, in whatever place, was not withheld', () => {
  expect(found([2], [1, 3, 2], { isLive: true })).toEqual([]);
  expect(found([2, 4], [1, 2, 3, 5])).toEqual([]);
});

test('what was said before somebody came need not be in the archive: its author may have been alone', () => {
  expect(found([2, 4], [1, 3, 5], { joinedLamport: 14 })).toEqual([]);
});
