import type { DeviceKey } from '../base/id.ts';
import type { Path } from '../contract/swarm.ts';
import { isStraight, rankOf } from '../torrent/route.ts';

/** Silent for longer than a keep-alive takes: the connection is dead, whatever the system says. */
const DEAD_MS = 75_000;
/** A caller that reconnects may leave dead connections behind, but not many. */
const MOST_FROM_ONE_CALLER = 4;
/** Younger ones may have been dialled by both ends at the same time; nobody dials beside an older one without a reason. */
const SETTLED_MS = 10_000;

/** What both ends know of a new connection of one pair of devices for one torrent. */
export interface NewLink {
  readonly weDialled: boolean;
  /** Both ends see alike whether it is straight, but not always how good it is. */
  readonly path: Path;
}

export interface PairLink extends NewLink {
  readonly ageMs: number;
  readonly silentMs: number;
  /** Answers are overdue. The other end may see that differently. */
  readonly isSuspect: boolean;
}

export interface Verdict<Link> {
  readonly accept: boolean;
  readonly drop: Link[];
}

/**
 * Decides between a new connection and those the same pair has already, so that both sides come to the same end.
 * A straight one replaces one that is not. Of several that are young the one dialled by the lower device key stays,
 * and of several by one caller the caller chooses. Whoever dials beside a settled connection doubts it or has a better
 * path: the other side takes the new one and leaves the choice to the caller, who drops the old one unless it has come to
 * life again or is as good.
 */
export function arbitrate<Link extends PairLink>(
  pair: { ours: DeviceKey; theirs: DeviceKey },
  existing: readonly Link[],
  { weDialled, path }: NewLink,
): Verdict<Link> {
  const dead = existing.filter((link) => link.silentMs > DEAD_MS);
  const alive = existing.filter((link) => link.silentMs <= DEAD_MS);
  const isWorse = (link: Link): boolean =>
    (isStraight(path) && !isStraight(link.path)) ||
    (weDialled && link.ageMs > SETTLED_MS && rankOf(link.path) > rankOf(path));
  const worse = alive.filter(isWorse);
  const rivals = alive.filter((link) => !isWorse(link));
  const settled = rivals.filter((link) => link.ageMs > SETTLED_MS);
  const young = rivals.filter((link) => link.ageMs <= SETTLED_MS);
  if (weDialled && settled.some((link) => !link.isSuspect)) return { accept: false, drop: dead };
  const leaving = [...dead, ...(weDialled ? settled : [])];
  const isOutranked = young.some((link) => isStraight(link.path) && !isStraight(path));
  const opposite = young.filter((link) => link.weDialled !== weDialled);
  const same = young.filter((link) => link.weDialled === weDialled);
  const newWins = pair.ours < pair.theirs === weDialled;
  if (isOutranked || (opposite.length > 0 && !newWins)) return { accept: false, drop: leaving };
  if (same.length > 0 && weDialled) return { accept: false, drop: [...leaving, ...worse, ...opposite] };
  const left = [...(weDialled ? [] : settled), ...same];
  const surplus = left.slice(0, Math.max(0, left.length - MOST_FROM_ONE_CALLER + 1));
  return { accept: true, drop: [...leaving, ...worse, ...opposite, ...surplus] };
}
