import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { RoutedStream } from '../torrent/route.ts';
import { PendingStreams } from './pending-streams.ts';

/** Those of `members` are admitted at once and go on being used; all others stay silent. */
function waiting(members: readonly string[] = []) {
  const clock = new VirtualClock(0);
  const pending = new PendingStreams({
    clock,
    admit: ({ route }, onAdmitted) => {
      if (members.includes(route.address)) onAdmitted();
      return new Promise(() => undefined);
    },
  });
  const take = (caller: string): Duplex => {
    const stream = new Duplex({ read: () => undefined });
    const routed: RoutedStream = { stream, route: { path: 'tcp', address: caller }, device: null };
    void pending.take(routed, caller);
    return stream;
  };
  return { clock, pending, take };
}

test('strangers who hold all places keep no member out, and make room themselves', () => {
  const { pending, take } = waiting();
  const early = take('early');
  const strangers = Array.from({ length: 16 }, (_, caller) =>
    Array.from({ length: 8 }, () => take(`stranger ${caller}`)),
  );
  const member = take('member');
  expect([early.destroyed, member.destroyed, pending.size]).toEqual([false, false, 128]);
  expect(strangers.flat().filter(({ destroyed }) => destroyed)).toHaveLength(2);
});

test('of one caller only so many wait', () => {
  const { pending, take } = waiting();
  const streams = Array.from({ length: 20 }, () => take('one'));
  expect(streams.filter(({ destroyed }) => !destroyed)).toEqual(streams.slice(0, 8));
  expect(pending.size).toBe(8);
});

test('a neighbour behind the same address who holds its places and says nothing shuts no member out', async () => {
  const { clock, pending, take } = waiting();
  const silent = Array.from({ length: 8 }, () => take('household'));
  await clock.advance(1_000);
  const member = take('household');
  expect([member.destroyed, pending.size]).toEqual([false, 8]);
  expect(silent.filter(({ destroyed }) => destroyed)).toEqual([silent[0]]);
});

test('what was admitted and is in use makes room for nobody', async () => {
  const { clock, take } = waiting(['household']);
  const inUse = Array.from({ length: 8 }, () => take('household'));
  await clock.advance(10_000);
  expect(take('household').destroyed).toBe(true);
  expect(inUse.some(({ destroyed }) => destroyed)).toBe(false);
});

test('places are free again when the waiting is over', async () => {
  const pending = new PendingStreams({
    clock: new VirtualClock(0),
    admit: () => Promise.reject(new Error('refused')),
  });
  const stream = new Duplex({ read: () => undefined });
  await pending.take({ stream, route: { path: 'tcp', address: '192.0.2.1:1' }, device: null }, 'one');
  expect([pending.size, stream.destroyed]).toEqual([0, true]);
});
