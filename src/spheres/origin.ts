import type { ItemId } from '../base/id.ts';
import type { ItemEvent } from './protocol/event.ts';
import type { Sphere } from './sphere.ts';

/** An item in the sphere that another one goes on from. */
interface Origin {
  readonly sphere: Sphere;
  readonly itemId: ItemId;
  readonly event: ItemEvent;
}

/**
 * The item that this one was carried over from, in the sphere that its own goes on from, as long as it is the same
 * torrent. One of any other sphere is not looked at: everybody may name any item.
 */
export function originOf({ former: sphere }: Pick<Sphere, 'former'>, { body, type }: ItemEvent): Origin | undefined {
  const { origin } = body;
  if (origin === undefined || sphere?.id !== origin.sphere) return undefined;
  const itemId = origin.item as string as ItemId;
  const event = sphere.state.items.get(itemId)?.event;
  if (event === undefined || !isSameTorrent(event, { body, type })) return undefined;
  return { sphere, itemId, event };
}

/** Whether their marks are the same; there may be thousands of items to compare, over and over. */
function isSameTorrent(a: Pick<ItemEvent, 'body' | 'type'>, b: Pick<ItemEvent, 'body' | 'type'>): boolean {
  const isSameKey = a.type === b.type && a.body.keyCheck === b.body.keyCheck;
  return isSameKey && a.body.infoHash === b.body.infoHash && a.body.metainfoSha256 === b.body.metainfoSha256;
}

/** The same for two items only when they are one torrent under one key. */
export function torrentMark({ body, type }: Pick<ItemEvent, 'body' | 'type'>): string {
  const { infoHash, metainfoSha256, keyCheck } = body;
  return [type, infoHash, metainfoSha256, keyCheck].join(' ');
}
