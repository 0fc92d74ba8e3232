import type { ItemSource } from './item-source.ts';
import type { ItemEvent } from './protocol/event.ts';
import { publicMetainfo, publicPlace } from './public-torrent.ts';
import type { ReceivePlace } from './receive-place.ts';
import { receivePlace } from './receive-place.ts';
import type { Sphere } from './sphere.ts';
import type { ItemId } from '../base/id.ts';

/** Decides where the files of an item go, once all that is needed for fetching them is here. */
export async function findPlace(
  source: ItemSource,
  sphere: Sphere,
  event: ItemEvent,
  signal: AbortSignal,
): Promise<ReceivePlace> {
  const metainfo = await source.metainfo(sphere, event, signal);
  if (event.type === 'torrent') {
    return settled(sphere, (folder) => publicPlace(folder, publicMetainfo(event, metainfo), signal));
  }
  const manifest = await source.manifest(sphere, event, signal);
  const bytes = source.manifestBytes(event.id as string as ItemId) ?? new Uint8Array();
  return settled(sphere, (folder) => receivePlace(folder, event, { manifest, bytes }, signal));
}

/** Decided anew when the folder was moved in the same moment. */
async function settled(sphere: Sphere, place: (folder: string) => Promise<ReceivePlace>): Promise<ReceivePlace> {
  for (;;) {
    const { folder } = sphere.row;
    const found = await place(folder);
    if (sphere.row.folder === folder) return found;
  }
}
