import { AppError } from '../base/errors.ts';
import type { PlayableItem } from '../player/playable-item.ts';
import type { FileSegment } from '../torrent/byte-space.ts';
import type { HaveWaiter } from '../spheres/have-waiter.ts';
import type { ItemService } from '../spheres/item-service.ts';
import type { ItemEvent } from '../spheres/protocol/event.ts';
import type { ManifestFile } from '../spheres/protocol/manifest.ts';
import type { SwarmFeed } from '../spheres/swarm-feed.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { Logger } from '../base/log.ts';
import { probeOf } from './file-probe.ts';

interface PlayItemDeps {
  readonly items: ItemService;
  readonly feed: SwarmFeed;
  readonly waiter: HaveWaiter;
  readonly log: Logger;
}

/** One file of an item as the media server reads it: its bytes where they are, its windows asked of the swarm. */
export function playItem(
  deps: PlayItemDeps,
  item: { readonly event: ItemEvent; readonly row: ItemRow; readonly file: ManifestFile; index: number },
): PlayableItem {
  const { event, row, file } = item;
  const segment = (row.layout ?? []).filter((part): part is FileSegment => part.kind === 'file')[item.index];
  if (segment === undefined) throw new AppError('not-found', 'the file has no place on this disk yet');
  const torrent = { infoHash: row.infoHash, pieceLength: event.body.pieceLength };
  const at = (position: number): number => segment.offset + position;
  const isWhole = (): boolean => ['complete', 'sharing'].includes(deps.items.row(row.itemId).state);
  const ask = (reader: string, from: number, to: number): void => {
    deps.feed.window(row.infoHash, `${item.index}/${reader}`, from, to).catch((error: unknown) => {
      // The reader asks again as it moves on.
      deps.log.debug('window not moved', { error });
    });
  };
  return {
    size: file.bytes,
    path: segment.path,
    type: file.type === 'application/octet-stream' ? null : file.type,
    indexRanges: probeOf(file).indexRanges,
    have: (from, to) => isWhole() || deps.waiter.has(torrent, at(from), at(to)),
    waitFor: (from, to, signal) => deps.waiter.waitFor(torrent, at(from), at(to), signal),
    want: (reader, from, to) => ask(reader, at(from), at(Math.min(to, file.bytes))),
    drop: (reader) => ask(reader, 0, 0),
  };
}
