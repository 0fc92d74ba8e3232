import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { AccountSession } from './account-session.ts';

const STEP_MS = 100;
/** Idle for this long means that nothing is about to follow from what just came. */
const SETTLED_MS = 500;
/** Longer than it takes to set a session up anew, as a copy of a profile does. */
const ANEW_MS = 10_000;

/** What is looked at of an account's session. */
export interface Watched {
  readonly client: { readonly state: Pick<AccountSession['client']['state'], 'kind'> };
  readonly outgoing: Pick<AccountSession['outgoing'], 'isIdle'>;
  readonly people: { readonly sender: Pick<AccountSession['people']['sender'], 'isIdle'> };
  readonly vault: Pick<AccountSession['vault'], 'isSettled'>;
  readonly list: Pick<AccountSession['list'], 'all' | 'wantedRooms'>;
  readonly rooms: Pick<AccountSession['rooms'], 'isRefused' | 'isInside' | 'isCaughtUp'>;
  readonly logs: Pick<AccountSession['logs'], 'isSettled'>;
}

/**
 * Resolves once nothing waits to be sent and the archive of every room that lets us in is read, nobody who is
 * present is known to have more, the vault is kept, and that has stayed so for a moment. Fails with `no-account`.
 */
export async function waitUntilIdle(
  holder: { readonly current: Watched | null },
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let idleSince: number | null = null;
  let signedInMs = holder.current === null ? -Infinity : clock.monotonic();
  for (;;) {
    const now = clock.monotonic();
    const session = holder.current;
    if (session !== null) signedInMs = now;
    if (now - signedInMs > ANEW_MS) throw new AppError('no-account', 'nobody is signed in');
    if (session === null || !isIdle(session)) idleSince = null;
    else idleSince ??= now;
    if (idleSince !== null && now - idleSince >= SETTLED_MS) return;
    await clock.sleep(STEP_MS, signal);
  }
}

function isIdle({ client, outgoing, people, list, rooms, logs, vault }: Watched): boolean {
  if (client.state.kind !== 'online' || !outgoing.isIdle || !people.sender.isIdle || !vault.isSettled) return false;
  // Those that a sphere has left too, but for what is at a server that is gone.
  if (list.wantedRooms().some((room) => rooms.isInside(room) && !rooms.isCaughtUp(room))) return false;
  return list
    .all()
    .filter(({ row }) => row.state === 'joined')
    .every((sphere) => {
      const { room } = sphere.row;
      return rooms.isRefused(room) || (rooms.isCaughtUp(room) && logs.isSettled(sphere));
    });
}
