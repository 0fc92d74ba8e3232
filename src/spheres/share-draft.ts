import * as z from 'zod';
import { fromUtf8, toUtf8 } from '../base/bytes.ts';
import { bytesSchema } from '../contract/ids.ts';
import { previewSchema } from '../contract/media.ts';
import { fileIdentitySchema } from '../contract/swarm.ts';
import { fromJson, toJson } from '../storage/json.ts';
import type { EnumeratedTree } from '../torrent/enumerate.ts';
import { sameIdentity } from '../torrent/file-identity.ts';
import type { ItemDraft } from './prepare-item.ts';
import { layoutDraft } from './prepare-item.ts';
import { eventBodySchemas } from './protocol/event-body.ts';
import { decodeManifest } from './protocol/manifest.ts';

const schema = z.object({
  root: z.enum(['file', 'folder']),
  name: z.string(),
  paths: z.array(z.string()),
  /** In the order of the paths. */
  identities: z.array(fileIdentitySchema),
  mediaKey: bytesSchema.nullable(),
  manifest: bytesSchema,
  /** Missing in drafts that chose it by another rule. */
  pieceLength: z.number().optional(),
  media: eventBodySchemas.item.shape.media,
  preview: previewSchema.nullable(),
  thumbhash: z.string().nullable(),
});

/** A draft in the form in which it waits for the next start of the program. */
export function encodeDraft({ tree, description, manifest, mediaKey, layout }: ItemDraft): Uint8Array {
  const { media, preview, thumbhash } = description;
  const paths = tree.files.map(({ path }) => path);
  const identities = tree.files.map(({ identity }) => identity);
  const { root, name } = tree;
  const { pieceLength } = layout;
  const bytes = { mediaKey, manifest, pieceLength };
  return toUtf8(toJson({ root, name, paths, identities, ...bytes, media, preview, thumbhash }));
}

/**
 * The draft that was made of this tree, or null when anything about its files is not what it was: then its key may
 * have encrypted other bytes and must not be used again.
 */
export function draftOf(tree: EnumeratedTree, encoded: Uint8Array): ItemDraft | null {
  const { root, name, paths, identities, mediaKey, manifest, pieceLength, ...about } = schema.parse(
    fromJson(fromUtf8(encoded) ?? ''),
  );
  const isSame =
    root === tree.root &&
    name === tree.name &&
    paths.length === tree.files.length &&
    tree.files.every((file, index) => {
      const before = identities[index];
      return file.path === paths[index] && before !== undefined && sameIdentity(file.identity, before);
    });
  if (!isSame || pieceLength === undefined) return null;
  const description = { ...about, manifest: decodeManifest(manifest) };
  return layoutDraft({ tree, description, manifest, mediaKey }, pieceLength);
}
