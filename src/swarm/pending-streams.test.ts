import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import type { RoutedStream } from '../torrent/route.ts';
import { PendingStreams } from './pending-streams.ts';

function waiting() {
  const pending = new PendingStreams({ admit: () => new Promise(() => undefined) });
  const take = (caller: string): Duplex => {
    const stream = new Duplex({ read: () => undefined });
    const routed: RoutedStream = { stream, route: { path: 'tcp', address: '192.0.2.1:1' }, device: null };
    void pending.take(routed, caller);
    return stream;
  };
  return { pending, take };
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

test('places are free again when the waiting is over', async () => {
  const pending = new PendingStreams({ admit: () => Promise.reject(new Error('refused')) });
  const stream = new Duplex({ read: () => undefined });
  await pending.take({ stream, route: { path: 'tcp', address: '192.0.2.1:1' }, device: null }, 'one');
  expect([pending.size, stream.destroyed]).toEqual([0, true]);
});
