import type { InfoHash } from '../base/id.ts';
import type { RandomBytes } from '../base/random.ts';
import type { FileIdentity, Segment } from '../contract/swarm.ts';
import type { EnumeratedTree } from '../torrent/enumerate.ts';
import { buildMetainfo } from '../torrent/metainfo.ts';
import type { ItemDescription } from './describe-item.ts';
import { layoutItem } from './protocol/layout.ts';
import type { ItemLayout } from './protocol/layout.ts';
import { encodeManifest } from './protocol/manifest.ts';
import { generateMediaKey } from './protocol/media-key.ts';
import type { SwarmCalls } from './swarm-feed.ts';

/** An item whose ciphertext is hashed: everything its event needs, and where its bytes are on this disk. */
export interface PreparedItem {
  readonly tree: EnumeratedTree;
  readonly description: ItemDescription;
  readonly manifest: Uint8Array;
  readonly layout: ItemLayout;
  /** null for a plain item. */
  readonly mediaKey: Uint8Array | null;
  readonly metainfo: Uint8Array;
  readonly infoHash: InfoHash;
  /** With the identity each file had while it was hashed. */
  readonly segments: Segment[];
}

/** Encrypts and hashes the tree in one pass. A failed or cancelled run throws its media key away with everything else. */
export async function prepareItem(
  input: { readonly tree: EnumeratedTree; readonly description: ItemDescription; readonly plain: boolean },
  deps: { readonly swarm: SwarmCalls; readonly random: RandomBytes; onProgress(bytesDone: number): void },
  signal: AbortSignal,
): Promise<PreparedItem> {
  const { tree, description } = input;
  const manifest = encodeManifest(description.manifest);
  const layout = layoutItem(
    tree.files.map((file) => file.size),
    manifest.length,
  );
  const mediaKey = input.plain ? null : generateMediaKey(deps.random);
  const segments = segmentsOf(tree, layout, manifest);
  const request = { segments, length: layout.totalLength, pieceLength: layout.pieceLength, mediaKey };
  for await (const step of await deps.swarm.hash(request, { signal })) {
    if (step.kind === 'progress') {
      deps.onProgress(Math.min(step.bytesDone, tree.totalBytes));
      continue;
    }
    const shape = { length: layout.totalLength, pieceLength: layout.pieceLength, pieces: step.pieces };
    const withIdentities = identify(segments, step.identities);
    return { tree, description, manifest, layout, mediaKey, ...buildMetainfo(shape), segments: withIdentities };
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

/** `identities` are in the order of the file segments. */
export function identify(segments: readonly Segment[], identities: readonly FileIdentity[]): Segment[] {
  let next = 0;
  return segments.map((segment) => {
    if (segment.kind !== 'file') return segment;
    const identity = identities[next] ?? segment.identity;
    next += 1;
    return { ...segment, identity };
  });
}
