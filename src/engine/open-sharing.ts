import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import type { MediaTools } from '../spheres/describe-item.ts';
import { FolderMove } from '../spheres/folder-move.ts';
import { FolderWatch } from '../spheres/folder-watch.ts';
import type { ItemService } from '../spheres/item-service.ts';
import { KeyRenewal } from '../spheres/key-renewal.ts';
import { ShareService } from '../spheres/share-service.ts';
import type { SphereList } from '../spheres/sphere-list.ts';
import type { SwarmFeed } from '../spheres/swarm-feed.ts';
import type { Storage } from '../storage/storage.ts';
import type { ManyFiles } from '../torrent/file-thread.ts';

interface SharingDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly feed: SwarmFeed;
  readonly media: MediaTools;
  readonly files: ManyFiles;
  readonly items: ItemService;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
}

/** What puts files of this disk into spheres, and cares for the folders in which people see them. */
export function openSharing(deps: SharingDeps) {
  const { items, spawn } = deps;
  const activate: ItemService['activate'] = (itemId, signal) => items.activate(itemId, signal);
  const letGo: ItemService['edits']['letGo'] = (itemId) => items.edits.letGo(itemId);
  const shares = new ShareService({ ...deps, activate, letGo });
  const folderWatch = new FolderWatch({ ...deps, shares });
  spawn('watch folders', (signal) => folderWatch.run(signal));
  const renewal = new KeyRenewal({ ...deps, shares, log: deps.log.child('keys') });
  return { shares, folderWatch, folderMove: new FolderMove(deps), renewal };
}
