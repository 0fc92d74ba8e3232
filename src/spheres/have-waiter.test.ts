import { expect, test } from 'vitest';
import { bitfieldOf } from '../../test/fixtures/bitfield-of.ts';
import { Emitter } from '../base/emitter.ts';
import { parseInfoHash } from '../base/id.ts';
import type { SwarmEvent, TorrentState } from '../contract/swarm.ts';
import { HaveWaiter } from './have-waiter.ts';

const infoHash = parseInfoHash('12'.repeat(20));
const torrent = { infoHash, pieceLength: 100 };
const never = new AbortController().signal;

function waiting() {
  const onEvent = new Emitter<SwarmEvent>();
  const waiter = new HaveWaiter({ feed: { onEvent } as never });
  const have = (first: number, last: number): void => {
    const bitfield = bitfieldOf(10, first, last);
    onEvent.emit({ kind: 'have', infoHash, bitfield, bytesHave: 0, identities: null });
  };
  const say = (state: TorrentState['state']): void => {
    const numbers = { bytesHave: 0, downBps: 0, upBps: 0, peers: 0, seeds: 0 };
    onEvent.emit({ kind: 'state', torrent: { infoHash, state, error: null, ...numbers } });
  };
  return { waiter, have, say, onEvent };
}

test('a reader waits until every piece of its range is there', async () => {
  const { waiter, have } = waiting();
  let isThere = false;
  const wait = waiter.waitFor(torrent, 150, 250, never).then(() => (isThere = true));
  have(0, 1);
  await Promise.resolve();
  expect(isThere).toBe(false);
  have(0, 2);
  await wait;
  expect(waiter.has(torrent, 150, 250)).toBe(true);
  expect(waiter.has(torrent, 150, 301)).toBe(false);
  await waiter.waitFor(torrent, 0, 300, never);
});

test.each(['failed', 'missing', 'changed', 'disk-full'] as const)(
  'a reader hears when the torrent is %s',
  async (state) => {
    const { waiter, say } = waiting();
    const wait = waiter.waitFor(torrent, 0, 1, never);
    say('downloading');
    say(state);
    await expect(wait).rejects.toMatchObject({ code: 'internal' });
  },
);

test('a reader that goes away leaves nothing behind', async () => {
  const { waiter, have } = waiting();
  const gone = new AbortController();
  const wait = waiter.waitFor(torrent, 0, 1, gone.signal);
  gone.abort(new Error('closed'));
  await expect(wait).rejects.toThrow('closed');
  await expect(waiter.waitFor(torrent, 0, 1, gone.signal)).rejects.toThrow('closed');
  have(0, 9);
  expect(waiter.has(torrent, 0, 1)).toBe(true);
});

test('what was known of an earlier copy does not count for a new one', () => {
  const { waiter, have } = waiting();
  have(0, 9);
  waiter.set(infoHash, null);
  expect(waiter.has(torrent, 0, 1)).toBe(false);
  waiter.set(infoHash, bitfieldOf(10, 0, 0));
  expect(waiter.has(torrent, 0, 100)).toBe(true);
});

test('whoever still waits when the account signs out is told', async () => {
  const { waiter, onEvent } = waiting();
  const wait = waiter.waitFor(torrent, 0, 1, never);
  waiter[Symbol.dispose]();
  await expect(wait).rejects.toMatchObject({ code: 'cancelled' });
  expect(onEvent.listenerCount).toBe(0);
});
