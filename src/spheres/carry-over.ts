import type { ItemId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { isOnList } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import { INLINE_METAINFO_BYTES } from './announcement.ts';
import { historyFor } from './history.ts';
import { itemLine } from './human-line.ts';
import { openMediaKey } from './item-source.ts';
import type { Attachment } from './protocol/envelope.ts';
import { attachment } from './protocol/envelope.ts';
import type { ItemEvent } from './protocol/event.ts';
import { INLINE_MANIFEST_BYTES } from './protocol/manifest.ts';
import { wrapMediaKey } from './protocol/media-key.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface CarryOverDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/**
 * Lists everything of a sphere in one that it goes on in: the same torrents under the same media keys, so that nobody
 * hashes or fetches anything again. What we have no key of is left behind.
 */
export function carryOver(deps: CarryOverDeps, from: Sphere, to: Sphere): void {
  deps.list.publish(to, 'continues', { sphere: from.id }, { audience: { kind: 'members' } });
  const history = historyFor(from, from.person);
  const isListed = (id: ItemId): boolean => {
    const row = deps.storage.items.get(id);
    return row !== undefined && isOnList(row);
  };
  const current = [...from.state.items.values()].filter(
    ({ id, replacedBy, event }) => replacedBy === null && history.isOpen(event) && isListed(id),
  );
  for (const { event } of current) carryItem(deps, { from, to, event });
}

function carryItem(
  { storage, list, random, log }: CarryOverDeps,
  { from, to, event }: { readonly from: Sphere; readonly to: Sphere; readonly event: ItemEvent },
): void {
  const { body, header } = event;
  const attachments: Attachment[] = [];
  const kept: Attachment[] = [];
  const { infoHash } = body;
  try {
    const mediaKey = openMediaKey(storage, from, event);
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
  const carried = { ...body, epoch, replaces: null, origin };
  list.publish(to, 'item', carried, dispatch);
}

/** The item of another sphere here that this one was carried over from, as long as it is the same torrent. */
export function originOf(list: SphereList, { body, type }: ItemEvent): { sphere: Sphere; itemId: ItemId } | undefined {
  const { origin } = body;
  const sphere = origin === undefined ? undefined : list.find(origin.sphere);
  const itemId = origin?.item as string as ItemId;
  const event = sphere?.state.items.get(itemId)?.event;
  if (sphere === undefined || event === undefined) return undefined;
  const isSame = event.body.infoHash === body.infoHash && event.body.metainfoSha256 === body.metainfoSha256;
  return isSame && event.type === type && event.body.keyCheck === body.keyCheck ? { sphere, itemId } : undefined;
}
