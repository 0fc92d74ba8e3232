import { expect, test } from 'vitest';
import { VirtualClock } from '../../test/fixtures/virtual-clock.ts';
import type { Watched } from './sync.ts';
import { waitUntilIdle } from './sync.ts';

const never = new AbortController().signal;

/** A session in which everything is settled once it is online. */
const sessionThat = (kind: 'connecting' | 'online'): Watched => ({
  client: { state: { kind } },
  outgoing: { isIdle: true },
  people: { sender: { isIdle: true } },
  vault: { isSettled: true },
  list: { all: () => [], wantedRooms: () => [] },
  rooms: { isRefused: () => false, isInside: () => true, isCaughtUp: () => true },
  logs: { isSettled: () => true },
});

test('a session that is set up anew while it is waited for is the one that is waited for', async () => {
  const clock = new VirtualClock(0);
  const holder: { current: Watched | null } = { current: sessionThat('connecting') };
  const waiting = waitUntilIdle(holder, clock, never);
  await clock.advance(1_000);
  holder.current = null;
  await clock.advance(3_000);
  holder.current = sessionThat('online');
  await clock.advance(1_000);
  await expect(waiting).resolves.toBeUndefined();
});

test('where nobody is signed in, or nobody is any more, nothing is waited for', async () => {
  const clock = new VirtualClock(0);
  await expect(waitUntilIdle({ current: null }, clock, never)).rejects.toMatchObject({ code: 'no-account' });
  const holder: { current: Watched | null } = { current: sessionThat('connecting') };
  const waiting = waitUntilIdle(holder, clock, never).catch((error: unknown) => error);
  holder.current = null;
  await clock.advance(11_000);
  expect(await waiting).toMatchObject({ code: 'no-account' });
});
