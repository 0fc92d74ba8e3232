import type { DeviceKey } from '../base/id.ts';

/** Silent for longer than a keep-alive takes: the connection is dead, whatever the system says. */
const DEAD_MS = 75_000;
/** A caller that reconnects may leave dead connections behind, but not many. */
const MOST_FROM_ONE_CALLER = 4;

/** What is known of a connection of one pair of devices for one torrent. */
export interface PairLink {
  readonly weDialled: boolean;
  readonly silentMs: number;
}

export interface Verdict<Link> {
  readonly accept: boolean;
  readonly drop: Link[];
}

/**
 * Decides between a new connection and those the same pair has already. Both sides come to the same end:
 * the connection dialled by the lower device key stays, and of several by one caller the caller chooses.
 */
export function arbitrate<Link extends PairLink>(
  pair: { ours: DeviceKey; theirs: DeviceKey },
  existing: readonly Link[],
  weDialled: boolean,
): Verdict<Link> {
  const dead = existing.filter((link) => link.silentMs > DEAD_MS);
  const alive = existing.filter((link) => link.silentMs <= DEAD_MS);
  const opposite = alive.filter((link) => link.weDialled !== weDialled);
  const same = alive.filter((link) => link.weDialled === weDialled);
  const newWins = pair.ours < pair.theirs === weDialled;
  if (opposite.length > 0 && !newWins) return { accept: false, drop: dead };
  if (same.length > 0 && weDialled) return { accept: false, drop: [...dead, ...opposite] };
  const surplus = same.slice(0, Math.max(0, same.length - MOST_FROM_ONE_CALLER + 1));
  return { accept: true, drop: [...dead, ...opposite, ...surplus] };
}
