import type { InfoHash } from '../base/id.ts';
import type { RandomBytes } from '../base/random.ts';
import type { Segment } from '../contract/swarm.ts';
import type { EnumeratedTree } from '../torrent/enumerate.ts';
import { buildMetainfo } from '../torrent/metainfo.ts';
import type { ItemDescription } from './describe-item.ts';
import { withIdentities } from '../torrent/torrent-spec.ts';
import { layoutItem } from './protocol/layout.ts';
import type { ItemLayout } from './protocol/layout.ts';
import { encodeManifest } from './protocol/manifest.ts';
import { generateMediaKey } from './protocol/media-key.ts';
import { stageSegments } from './stage-segments.ts';
import type { SwarmCalls } from './swarm-feed.ts';

/** An item whose bytes are decided and not hashed yet. */
export interface ItemDraft {
  readonly tree: EnumeratedTree;
  readonly description: ItemDescription;
  readonly manifest: Uint8Array;
  readonly layout: ItemLayout;
  /** null for a plain item. */
  readonly mediaKey: Uint8Array | null;
}

/** An item whose ciphertext is hashed: everything its event needs, and where its bytes are on this disk. */
export interface PreparedItem extends ItemDraft {
  readonly metainfo: Uint8Array;
  readonly infoHash: InfoHash;
  /** With the identity each file had while it was hashed. */
  readonly segments: Segment[];
}

/** Decides the bytes of an item; each draft has a key of its own. */
export function draftItem(
  input: { readonly tree: EnumeratedTree; readonly description: ItemDescription; readonly plain: boolean },
  random: RandomBytes,
): ItemDraft {
  const { tree, description, plain } = input;
  const mediaKey = plain ? null : generateMediaKey(random);
  return layoutDraft({ tree, description, manifest: encodeManifest(description.manifest), mediaKey });
}

export function layoutDraft(parts: Omit<ItemDraft, 'layout'>, pieceLength?: number): ItemDraft {
  const sizes = parts.tree.files.map((file) => file.size);
  return { ...parts, layout: layoutItem(sizes, parts.manifest.length, pieceLength) };
}

/**
 * Encrypts and hashes a draft in one pass, behind the pieces whose digests are `known`. It must be given up together
 * with its key when a file is not what it was.
 */
export async function hashDraft(
  draft: ItemDraft,
  known: Uint8Array,
  deps: { readonly swarm: SwarmCalls; onProgress(bytesDone: number, pieces: Uint8Array): void },
  signal: AbortSignal,
): Promise<PreparedItem> {
  const { tree, layout, manifest, mediaKey } = draft;
  const segments = segmentsOf(tree, layout, manifest);
  const request = { segments, length: layout.totalLength, pieceLength: layout.pieceLength, mediaKey, known };
  for await (const step of await deps.swarm.hash(await stageSegments(deps.swarm, request), { signal })) {
    if (step.kind === 'progress') {
      deps.onProgress(Math.min(step.bytesDone, tree.totalBytes), step.pieces);
      continue;
    }
    const shape = { length: layout.totalLength, pieceLength: layout.pieceLength, pieces: step.pieces };
    return { ...draft, ...buildMetainfo(shape), segments: withIdentities(segments, step.identities) };
  }
  throw signal.reason ?? new Error('the hasher ended without a result');
}

function segmentsOf(tree: EnumeratedTree, layout: ItemLayout, manifest: Uint8Array): Segment[] {
  const files = tree.files.map((file, index): Segment => {
    const offset = layout.files[index]?.offset ?? 0;
    return { kind: 'file', offset, length: file.size, path: file.path, root: null, identity: file.identity };
  });
  return [...files, { kind: 'bytes', offset: layout.manifest.offset, bytes: manifest }];
}
