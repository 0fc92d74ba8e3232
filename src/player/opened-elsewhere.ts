import type { MediaKind } from '../contract/views.ts';
import { kindOfType, typeOfName } from './media-type.ts';

const MEDIA: ReadonlySet<MediaKind> = new Set<MediaKind>(['video', 'audio', 'image', 'pdf']);

/**
 * Whether a click may hand the file to another program: media that is opened, never run. The type is what its sharer
 * claims, but the system goes by the name on the disk, so both must be media.
 */
export function isOpenedElsewhere(file: { readonly name: string; readonly type: string }): boolean {
  return MEDIA.has(kindOfType(file.type)) && MEDIA.has(kindOfType(typeOfName(file.name)));
}
