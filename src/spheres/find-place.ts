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
  const { folder } = sphere.row;
  const metainfo = await source.metainfo(sphere, event, signal);
  if (event.type === 'torrent') return publicPlace(folder, publicMetainfo(event, metainfo), signal);
  const manifest = await source.manifest(sphere, event, signal);
  const bytes = source.manifestBytes(event.id as string as ItemId) ?? new Uint8Array();
  return receivePlace(folder, event, { manifest, bytes }, signal);
}
