import type { ItemFileView, ItemView } from '../../contract/views.ts';

/** The way an item, or one file of a folder, is shown. */
export type View =
  /** Nothing of it is shown or fetched before the person has said yes to strangers. */
  | { readonly kind: 'public' }
  | { readonly kind: 'player'; readonly file: ItemFileView }
  | { readonly kind: 'photo'; readonly file: ItemFileView }
  | { readonly kind: 'folder' }
  | { readonly kind: 'file'; readonly file: ItemFileView };

function onlyFile(item: ItemView): ItemFileView {
  return (
    item.files[0] ?? {
      index: 0,
      name: item.name,
      type: item.type,
      kind: item.kind,
      bytes: item.bytes,
      playable: 'no',
      durationMs: item.durationMs,
      previewUrl: null,
      isHere: false,
      isWanted: false,
    }
  );
}

/** `index` is the file asked for, null for the item itself. */
export function viewFor(item: ItemView, index: number | null): View {
  if (item.isPublic && item.state === 'listed') return { kind: 'public' };
  if (item.kind === 'folder' && index === null) return { kind: 'folder' };
  const file = item.files.find((known) => known.index === (index ?? 0)) ?? onlyFile(item);
  if (file.kind === 'video' || file.kind === 'audio') return { kind: 'player', file };
  if (file.kind === 'image' && file.playable === 'here') return { kind: 'photo', file };
  return { kind: 'file', file };
}

/** The file of the same kind that follows `index` in the folder, if any. */
export function nextFile(item: ItemView, index: number): ItemFileView | null {
  if (item.kind !== 'folder') return null;
  const kind = item.files.find((file) => file.index === index)?.kind;
  return item.files.find((file) => file.index > index && file.kind === kind && file.playable !== 'no') ?? null;
}
