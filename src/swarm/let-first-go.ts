import type { Priority } from '../contract/views.ts';

const RANK = { low: 0, normal: 1, high: 2 } as const;

/** A torrent that may have to wait. */
interface Waiting {
  readonly priority: Priority;
  readonly isMoving: boolean;
  setYields(yields: boolean): void;
}

/** While something of more importance is moving, the others ask for nothing. */
export function letFirstGo(torrents: readonly Waiting[]): void {
  const moving = torrents.filter(({ isMoving }) => isMoving).map(({ priority }) => RANK[priority]);
  const first = Math.max(0, ...moving);
  for (const torrent of torrents) torrent.setYields(RANK[torrent.priority] < first);
}
