import type { BareJid } from '../base/id.ts';
import type { MediaKind } from '../contract/views.ts';

const SIGNS: Record<MediaKind, string> = {
  video: '📽',
  audio: '🎵',
  image: '🖼',
  pdf: '📄',
  folder: '📁',
  other: '📎',
};

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

const MAX_NAME = 200;

/** What an item is called in its event: as long as an event allows, and without half a character at the cut. */
export function itemName(name: string): string {
  return name
    .slice(0, MAX_NAME)
    .replace(/[\uD800-\uDBFF]$/, '')
    .toWellFormed();
}

/** The line about a shared item that any XMPP client shows, such as "📽 beach.mp4 · 1.2 GB". */
export function itemLine(item: { kind: MediaKind; name: string; bytes: number }): string {
  return `${SIGNS[item.kind]} ${item.name} · ${formatBytes(item.bytes)}`;
}

/** The line of an invitation, for people whose client shows it as an ordinary message. */
export function invitationLine(sphere: string): string {
  return `✉ “${sphere}” · Spherecast`;
}

/** The line that leads people with an ordinary client to the room that a sphere is in from now on. */
export function movedLine(room: BareJid): string {
  return `➡ xmpp:${room}?join · Spherecast`;
}

/** Decimal units, as disks and phones count. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? 'B'}`;
}
