import type { ItemId, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { isOnList } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import { INLINE_METAINFO_BYTES } from './announcement.ts';
import { historyFor } from './history.ts';
import { itemLine } from './human-line.ts';
import { openMediaKey } from './item-source.ts';
import { originOf } from './origin.ts';
import type { Attachment } from './protocol/envelope.ts';
import { attachment } from './protocol/envelope.ts';
import type { ItemEvent } from './protocol/event.ts';
import { INLINE_MANIFEST_BYTES } from './protocol/manifest.ts';
import { wrapMediaKey } from './protocol/media-key.ts';
import { setPicture } from './set-picture.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

/** As many as the swarm takes of one torrent. */
const MOST_FORMER = 16;

export interface CarryOverDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/**
 * Gives a sphere's picture to one that it goes on in, and lists everything there: the same torrents under the same media
 * keys, so that nobody hashes or fetches anything again. What we have no key of is left behind.
 */
export function carryOver(deps: CarryOverDeps, from: Sphere, to: Sphere): void {
  deps.list.publish(to, 'continues', { sphere: from.id }, { audience: { kind: 'members' } });
  const { picture } = from.log;
  const image = picture === null ? undefined : deps.storage.attachments.get(picture.id, 'picture');
  if (image !== undefined) setPicture(deps.list, to.id, image);
  for (const event of itemsOnList(deps.storage, from)) carryItem(deps, { from, to, event });
}

/** In their newest version, what is open to us and neither deleted nor taken off the list of this device. */
export function itemsOnList(
  storage: Storage,
  sphere: Sphere,
  isMeant: (event: ItemEvent) => boolean = () => true,
): ItemEvent[] {
  const history = historyFor(sphere, sphere.person);
  const isListed = (id: ItemId): boolean => {
    const row = storage.items.get(id);
    return row !== undefined && isOnList(row);
  };
  return [...sphere.state.items.values()].flatMap(({ id, replacedBy, event }) =>
    replacedBy === null && isMeant(event) && history.isOpen(event) && isListed(id) ? [event] : [],
  );
}

/** Lists one item of a sphere in another; not without its key. */
export function carryItem(
  { storage, list, random, log }: CarryOverDeps,
  { from, to, event }: { readonly from: Sphere; readonly to: Sphere; readonly event: ItemEvent },
): void {
  const { body, header } = event;
  const attachments: Attachment[] = [];
  const kept: Attachment[] = [];
  const { infoHash } = body;
  try {
    const mediaKey = openMediaKey(from, event);
    const epoch = to.currentEpoch.secrets;
    if (mediaKey !== null)
      attachments.push(attachment('media-key', wrapMediaKey({ epoch, infoHash, random }, mediaKey)));
  } catch (error) {
    log.warn('an item without its key is left behind', { error });
    return;
  }
  const pass = (kind: 'metainfo' | 'manifest' | 'preview', inline: number): void => {
    const bytes = storage.attachments.get(event.id, kind);
    if (bytes !== undefined) (bytes.length <= inline ? attachments : kept).push(attachment(kind, bytes));
  };
  pass('metainfo', INLINE_METAINFO_BYTES);
  pass('manifest', INLINE_MANIFEST_BYTES);
  pass('preview', Infinity);
  const wallMs = body.origin?.wallMs ?? header.wallMs;
  const origin = { sphere: from.id as string, item: event.id as string, wallMs };
  const epoch = body.plain ? null : to.currentEpoch.eventId;
  const line = itemLine({ kind: body.media.kind, name: body.name, bytes: body.bytes });
  const dispatch = { audience: { kind: 'members' }, attachments, kept, line } as const;
  if (event.type === 'torrent') {
    const { name, bytes, fileCount, pieceLength, metainfoBytes, metainfoSha256, media } = body;
    const passed = { name, infoHash, bytes, fileCount, pieceLength, metainfoBytes, metainfoSha256 };
    list.publish(to, 'torrent', { ...passed, root: media.kind === 'folder' ? 'folder' : 'file', origin }, dispatch);
    return;
  }
  const { basedOn: _ofOtherSphere, ...own } = body;
  list.publish(to, 'item', { ...own, epoch, replaces: null, origin }, dispatch);
}

/**
 * Where the same torrent was listed before it was carried over, as far as we are there: who has not come along yet is
 * served there, and serves us.
 */
export function formerSpheres(sphere: Sphere, event: ItemEvent): SphereId[] {
  const spheres = new Set([sphere.id]);
  let from = originOf(sphere, event);
  while (from !== undefined && !spheres.has(from.sphere.id) && from.sphere.row.state === 'joined') {
    spheres.add(from.sphere.id);
    from = originOf(from.sphere, from.event);
  }
  return Array.from(spheres).slice(1, 1 + MOST_FORMER);
}
