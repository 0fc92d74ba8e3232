import { fromBase64 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { ItemId } from '../base/id.ts';
import type { RandomBytes } from '../base/random.ts';
import type { Segment } from '../contract/swarm.ts';
import type { Storage } from '../storage/storage.ts';
import type { EnumeratedTree } from '../torrent/enumerate.ts';
import { sameIdentity } from '../torrent/file-identity.ts';
import type { ItemDraft } from './prepare-item.ts';
import { layoutDraft } from './prepare-item.ts';
import type { KnownEvent } from './protocol/event.ts';
import { decodeManifest } from './protocol/manifest.ts';
import { generateMediaKey } from './protocol/media-key.ts';

/**
 * A draft of what was shared before under a new key: the same files and the same list of them, so that whoever has them
 * already keeps them. Fails with `file-changed` when the files are not what was shared.
 */
export function renewDraft(
  { storage, random }: { readonly storage: Storage; readonly random: RandomBytes },
  { id, body }: KnownEvent<'item'>,
  tree: EnumeratedTree,
): ItemDraft {
  const manifest = storage.attachments.get(id, 'manifest');
  const { layout } = storage.items.get(id as string as ItemId) ?? { layout: null };
  if (manifest === undefined || layout === null) throw new AppError('not-found', 'its list of files is gone');
  if (!isUntouched(layout, tree)) throw new AppError('file-changed', 'the files are not what was shared');
  const image = storage.attachments.get(id, 'preview');
  const thumbhash = fromBase64(body.thumbhash ?? '') ?? new Uint8Array();
  const size = { width: body.media.width ?? 0, height: body.media.height ?? 0 };
  const preview = image === undefined ? null : { image, thumbhash, ...size };
  const description = { manifest: decodeManifest(manifest), media: body.media, preview, thumbhash: body.thumbhash };
  return layoutDraft({ tree, description, manifest, mediaKey: generateMediaKey(random) });
}

function isUntouched(layout: readonly Segment[], tree: EnumeratedTree): boolean {
  const files = layout.filter((segment) => segment.kind === 'file');
  if (files.length !== tree.files.length) return false;
  return tree.files.every(({ path, identity }, index) => {
    const shared = files[index];
    return shared?.path === path && shared.identity !== null && sameIdentity(shared.identity, identity);
  });
}
