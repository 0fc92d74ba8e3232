import type { ItemView, MediaKind } from '../../contract/views.ts';

/** How an item's state is shown on its tile. */
export type ItemStatus =
  | { readonly kind: 'here' }
  | { readonly kind: 'moving' }
  /** On its way, but nobody gives anything right now. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'paused' }
  | { readonly kind: 'checking' }
  | { readonly kind: 'away' }
  | { readonly kind: 'trouble' };

export function itemStatus(item: Pick<ItemView, 'state' | 'downBps'>): ItemStatus {
  switch (item.state) {
    case 'complete':
    case 'sharing':
    case 'partial':
      return { kind: 'here' };
    case 'downloading':
      return { kind: item.downBps > 0 ? 'moving' : 'waiting' };
    case 'queued':
      return { kind: 'waiting' };
    case 'paused':
      return { kind: 'paused' };
    case 'verifying':
      return { kind: 'checking' };
    case 'listed':
      return { kind: 'away' };
    case 'changed':
    case 'missing':
    case 'disk-full':
    case 'failed':
      return { kind: 'trouble' };
  }
}

/** On its way to this computer, finished or not started items not counted. */
export function isArriving(item: Pick<ItemView, 'state' | 'downBps'>): boolean {
  const { kind } = itemStatus(item);
  return kind === 'moving' || kind === 'waiting' || kind === 'paused' || kind === 'checking';
}

/** A public one whose trackers name nobody, and nobody else was found: people may want to look further. */
export function findsNobody({ foundBy, ...item }: Pick<ItemView, 'state' | 'downBps' | 'foundBy'>): boolean {
  return foundBy !== null && foundBy.trackers + foundBy.dht + foundBy.pex === 0 && itemStatus(item).kind === 'waiting';
}

/** It is wanted or served, and its key is not here: neither time nor another connection brings it, but somebody who has it. */
export function lacksKey({ error }: Pick<ItemView, 'error'>): boolean {
  return error?.code === 'cannot-encrypt';
}

/** Everything is on this computer, or was: it can be compared with what was shared. */
export function canRecheck(item: Pick<ItemView, 'state'>): boolean {
  return ['complete', 'sharing', 'changed', 'missing'].includes(item.state);
}

/** It lies on this disk as it was shared here: the sphere has it from us. */
export function isOwnFile(item: Pick<ItemView, 'mine' | 'isPublic'>): boolean {
  return item.mine && !item.isPublic;
}

/** It is not encrypted, and here or on its way: other programs can be let fetch it. */
export function canBeOpened(item: Pick<ItemView, 'state' | 'plain' | 'isPublic' | 'path'>): boolean {
  const isLost = ['listed', 'changed', 'missing', 'failed'].includes(item.state);
  return item.plain && !item.isPublic && item.path !== null && !isLost;
}

/** Our own file was edited: the new content can be given in place of the old one. */
export function canShareAgain(item: Pick<ItemView, 'state' | 'mine' | 'isPublic' | 'path'>): boolean {
  return item.state === 'changed' && isOwnFile(item) && item.path !== null;
}

/** What came from somebody else was edited here: the new content can be given to the others beside the old one. */
export function canShareVersion(item: Pick<ItemView, 'state' | 'mine' | 'isPublic' | 'path'>): boolean {
  return item.state === 'changed' && !isOwnFile(item) && item.path !== null;
}

export const KIND_ICONS: Readonly<Record<MediaKind, string>> = {
  video: 'i-lucide-clapperboard',
  audio: 'i-lucide-music',
  image: 'i-lucide-image',
  pdf: 'i-lucide-file-text',
  folder: 'i-lucide-folder',
  other: 'i-lucide-file',
};

/** A day's items, newest day first. */
export interface DayGroup {
  readonly atMs: number;
  readonly items: ItemView[];
}

/** Items in the order given, cut wherever the calendar day changes. */
export function groupByDay(items: readonly ItemView[]): DayGroup[] {
  const groups: DayGroup[] = [];
  let day = '';
  for (const item of items) {
    const date = new Date(item.atMs).toDateString();
    const last = groups[groups.length - 1];
    if (last !== undefined && date === day) last.items.push(item);
    else groups.push({ atMs: item.atMs, items: [item] });
    day = date;
  }
  return groups;
}
