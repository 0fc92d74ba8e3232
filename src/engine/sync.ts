import type { Clock } from '../base/clock.ts';
import type { AccountSession } from './account-session.ts';

const STEP_MS = 100;
/** Idle for this long means that nothing is about to follow from what just came. */
const SETTLED_MS = 500;

/**
 * Resolves once nothing waits to be sent and the archive of every room that lets us in is read, nobody who is
 * present is known to have more, the vault is kept, and that has stayed so for a moment.
 */
export async function waitUntilIdle(session: AccountSession, clock: Clock, signal: AbortSignal): Promise<void> {
  let idleSince: number | null = null;
  for (;;) {
    const now = clock.monotonic();
    if (!isIdle(session)) idleSince = null;
    else idleSince ??= now;
    if (idleSince !== null && now - idleSince >= SETTLED_MS) return;
    await clock.sleep(STEP_MS, signal);
  }
}

function isIdle({ client, outgoing, people, list, rooms, logs, vault }: AccountSession): boolean {
  if (client.state.kind !== 'online' || !outgoing.isIdle || !people.sender.isIdle || !vault.isSettled) return false;
  return list
    .all()
    .filter(({ row }) => row.state === 'joined')
    .every((sphere) => {
      const { room } = sphere.row;
      return rooms.isRefused(room) || (rooms.isCaughtUp(room) && logs.isSettled(sphere));
    });
}
