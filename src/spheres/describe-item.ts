import { toBase64 } from '../base/bytes.ts';
import { inBatches } from '../base/in-batches.ts';
import type { Preview, Probe } from '../contract/media.ts';
import type { MediaKind } from '../contract/views.ts';
import type { EnumeratedFile, EnumeratedTree } from '../torrent/enumerate.ts';
import type { ManyFiles } from '../torrent/file-thread.ts';
import type { EdgeDigests } from './edge-digest.ts';
import { edgeDigests } from './edge-digest.ts';
import type { EventBodies } from './protocol/event-body.ts';
import type { FileProbe, Manifest, ManifestFile } from './protocol/manifest.ts';

/** The media process as spheres see it. A file it cannot open is described as nothing special, never an error. */
export interface MediaTools {
  probe(path: string, signal: AbortSignal): Promise<Probe>;
  preview(path: string, signal: AbortSignal): Promise<Preview | null>;
}

/** What is said about an item before its bytes are hashed. */
export interface ItemDescription {
  readonly manifest: Manifest;
  readonly media: EventBodies['item']['media'];
  readonly preview: Preview | null;
  /** base64 */
  readonly thumbhash: string | null;
}

/** Beyond this many files of a folder only their names and sizes are told: looking into one takes milliseconds. */
const MAX_PROBED_FILES = 5_000;
/** Files looked at together: of small ones most of the time goes into waiting. */
const TOGETHER = 16;
/** How many of a folder's files are tried for the folder's own picture. */
const MAX_COVER_TRIES = 5;
const PICTURED: readonly MediaKind[] = ['video', 'image', 'audio'];

export async function describeItem(
  tree: EnumeratedTree,
  { media, files }: { readonly media: MediaTools; readonly files?: ManyFiles | undefined },
  signal: AbortSignal,
): Promise<ItemDescription> {
  const probing = inBatches(tree.files.slice(0, MAX_PROBED_FILES), TOGETHER, async ({ path }) => {
    signal.throwIfAborted();
    return media.probe(path, signal);
  });
  const edged = tree.files.map(({ path, size }) => ({ path, bytes: size }));
  const [probes, edges] = await Promise.all([probing, edgeDigests(edged, files, signal)]);
  const described = edges.flatMap((edge, index) => {
    const file = tree.files[index];
    return file === undefined ? [] : [describeFile(file, probes[index] ?? null, edge)];
  });
  const preview = await findPreview(tree, probes, media, signal);
  return {
    manifest: { files: described },
    media: summary(tree, probes[0], preview),
    preview,
    thumbhash: preview === null ? null : toBase64(preview.thumbhash),
  };
}

function describeFile(file: EnumeratedFile, probe: Probe | null, edges: EdgeDigests): ManifestFile {
  const type = probe?.type ?? 'application/octet-stream';
  const mtimeMs = Math.max(0, Math.round(file.mtimeMs));
  return { path: [...file.components], type, bytes: file.size, mtimeMs, ...edges, probe: fileProbe(probe) };
}

async function findPreview(
  tree: EnumeratedTree,
  probes: readonly Probe[],
  media: MediaTools,
  signal: AbortSignal,
): Promise<Preview | null> {
  const pictured = tree.files.filter((_, index) => PICTURED.includes(probes[index]?.kind ?? 'other'));
  for (const file of pictured.slice(0, MAX_COVER_TRIES)) {
    const preview = await media.preview(file.path, signal);
    if (preview !== null) return preview;
  }
  return null;
}

function summary(tree: EnumeratedTree, first: Probe | undefined, preview: Preview | null): ItemDescription['media'] {
  if (tree.root === 'folder' || first === undefined) {
    const size = { width: preview?.width ?? null, height: preview?.height ?? null };
    return { kind: tree.root === 'folder' ? 'folder' : 'other', type: 'inode/directory', ...size, durationMs: null };
  }
  const { kind, type, width, height, durationMs } = first;
  return { kind, type: type.slice(0, 100), width, height, durationMs };
}

function fileProbe(probe: Probe | null): FileProbe | null {
  if (probe === null || probe.streams.length === 0) return null;
  return {
    container: probe.type.slice(0, 40),
    codecs: probe.streams.slice(0, 32).map((stream) => `${stream.kind}:${stream.codec}`.slice(0, 60)),
    width: probe.width,
    height: probe.height,
    durationMs: probe.durationMs,
    index: probe.indexRanges.slice(0, 16).map(({ from, to }) => ({ offset: from, length: to - from })),
  };
}
