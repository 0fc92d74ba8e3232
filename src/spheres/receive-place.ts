import { AppError } from '../base/errors.ts';
import type { Segment } from '../contract/swarm.ts';
import { placeItem } from '../torrent/place-files.ts';
import type { KnownEvent } from './protocol/event.ts';
import { layoutItem } from './protocol/layout.ts';
import type { Manifest } from './protocol/manifest.ts';

/** Where a received item goes. */
export interface ReceivePlace {
  readonly layout: Segment[];
  /** Absolute path of its file or folder. */
  readonly path: string;
}

/** Reserves the item's place in the sphere's folder; what is there already is never touched. */
export async function receivePlace(
  folder: string,
  event: KnownEvent<'item'>,
  list: { readonly manifest: Manifest; readonly bytes: Uint8Array },
  signal: AbortSignal,
): Promise<ReceivePlace> {
  const { body } = event;
  const { files } = list.manifest;
  const sizes = files.map(({ bytes }) => bytes);
  // What the person saw and what there is room for are the numbers of the event.
  if (files.length !== body.fileCount || sizes.reduce((sum, bytes) => sum + bytes, 0) !== body.bytes) {
    throw new AppError('invalid-torrent', 'the list of files is not what the item announced');
  }
  const layout = layoutItem(sizes, list.bytes.length, body.pieceLength);
  const root = body.media.kind === 'folder' ? 'folder' : 'file';
  const names = files.map(({ path }) => path);
  const placed = await placeItem({ folder, root, name: body.name, files: names }, signal);
  const segments = files.map((file, index): Segment => {
    const path = placed.files[index];
    if (path === undefined) throw new AppError('internal', 'a file without a place');
    const offset = layout.files[index]?.offset ?? 0;
    return { kind: 'file', offset, length: file.bytes, path, root: placed.root, identity: null };
  });
  const listed: Segment = { kind: 'bytes', offset: layout.manifest.offset, bytes: list.bytes };
  return { layout: [...segments, listed], path: placed.path };
}
