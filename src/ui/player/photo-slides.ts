import type { SlideData } from 'photoswipe';
import type { ItemFileView, ItemView } from '../../contract/views.ts';

/** One picture of the slide show and where its bytes come from. */
export interface PhotoSlide extends SlideData {
  readonly item: ItemView;
  readonly file: ItemFileView;
}

/** Until a picture says otherwise it has the shape most cameras make. */
const UNKNOWN = { width: 1600, height: 1200 };

function slide(item: ItemView, file: ItemFileView): PhotoSlide {
  const known =
    item.width !== null && item.height !== null && item.width > 0 && item.height > 0 && item.kind !== 'folder';
  return {
    item,
    file,
    ...(known ? { width: item.width ?? 0, height: item.height ?? 0 } : UNKNOWN),
    alt: file.name,
    ...(item.previewUrl === null || item.kind === 'folder' ? {} : { msrc: item.previewUrl }),
  };
}

const shown = (file: ItemFileView | undefined): file is ItemFileView =>
  file !== undefined && file.kind === 'image' && file.playable === 'here';

/** The pictures among which the person turns pages: those of the folder, or those of the sphere in gallery order. */
export function photoSlides(item: ItemView, items: readonly ItemView[]): PhotoSlide[] {
  if (item.kind === 'folder') return item.files.filter(shown).map((file) => slide(item, file));
  const slides: PhotoSlide[] = [];
  for (const candidate of items) {
    const file = candidate.files[0];
    // What strangers take part in is begun by no turning of pages.
    const isBegun = !candidate.isPublic || candidate.state !== 'listed';
    if (candidate.kind === 'image' && isBegun && shown(file)) slides.push(slide(candidate, file));
  }
  return slides;
}
