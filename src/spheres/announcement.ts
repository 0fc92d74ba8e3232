import type { RandomBytes } from '../base/random.ts';
import type { Descent } from './edited-item.ts';
import { itemName } from './human-line.ts';
import type { PreparedItem } from './prepare-item.ts';
import type { Attachment } from './protocol/envelope.ts';
import { attachment } from './protocol/envelope.ts';
import type { EventInput } from './protocol/event-body.ts';
import { sha256Hex } from './protocol/keys.ts';
import { INLINE_MANIFEST_BYTES } from './protocol/manifest.ts';
import { keyCheck, wrapMediaKey } from './protocol/media-key.ts';
import type { HeldEpoch } from './sphere.ts';

/** Metainfo up to here travels beside the event; beyond, members ask each other for it. */
export const INLINE_METAINFO_BYTES = 24 * 1024;

export function bodyOf(item: PreparedItem, epoch: HeldEpoch | null, descent: Descent): EventInput<'item'> {
  const { replaces, basedOn } = descent;
  const { description, layout, manifest, metainfo, tree } = item;
  return {
    name: itemName(tree.name),
    infoHash: item.infoHash,
    bytes: tree.totalBytes,
    fileCount: tree.files.length,
    pieceLength: layout.pieceLength,
    metainfoBytes: metainfo.length,
    metainfoSha256: sha256Hex(metainfo),
    manifest: { offset: layout.manifest.offset, length: manifest.length, sha256: sha256Hex(manifest) },
    plain: item.mediaKey === null,
    keyCheck: item.mediaKey === null ? null : keyCheck(item.mediaKey, item.infoHash),
    epoch: epoch?.eventId ?? null,
    media: description.media,
    thumbhash: description.thumbhash,
    previewSha256: description.preview === null ? null : sha256Hex(description.preview.image),
    replaces,
    ...(basedOn === null ? {} : { basedOn }),
  };
}

/** What travels beside the event, and what is only kept because it is too long for that. */
export function attachmentsOf(
  item: PreparedItem,
  epoch: HeldEpoch | null,
  random: RandomBytes,
): { attachments: Attachment[]; kept: Attachment[] } {
  const { metainfo, manifest, description, mediaKey, infoHash } = item;
  const attachments: Attachment[] = [];
  const kept: Attachment[] = [];
  if (mediaKey !== null && epoch !== null) {
    attachments.push(attachment('media-key', wrapMediaKey({ epoch: epoch.secrets, infoHash, random }, mediaKey)));
  }
  (metainfo.length <= INLINE_METAINFO_BYTES ? attachments : kept).push(attachment('metainfo', metainfo));
  (manifest.length <= INLINE_MANIFEST_BYTES ? attachments : kept).push(attachment('manifest', manifest));
  if (description.preview !== null) attachments.push(attachment('preview', description.preview.image));
  return { attachments, kept };
}
