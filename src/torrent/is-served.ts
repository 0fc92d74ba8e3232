import type { Link } from './link.ts';

/** What tells whether a torrent comes. */
export interface Served {
  /** Of the whole byte space. */
  readonly length: number;
  readonly links: readonly Pick<Link, 'isBarren'>[];
  bytesOf(link: Pick<Link, 'isBarren'>): number;
}

/** Whether somebody who has all of it gives it: then nobody else is needed. Who only says so keeps nobody away. */
export function isServed(torrent: Served): boolean {
  return torrent.links.some((link) => !link.isBarren && torrent.bytesOf(link) >= torrent.length);
}
