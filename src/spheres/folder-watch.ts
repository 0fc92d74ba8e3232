import { basename, dirname, join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { FileIdentity } from '../contract/swarm.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { ManyFiles } from '../torrent/file-thread.ts';
import { collisionKey } from '../torrent/safe-name.ts';
import type { EntryLook, FolderEntry } from './folder-entries.ts';
import { listEntries, lookAtEntry } from './folder-entries.ts';
import { folderHolder, folderKin } from './folder-spheres.ts';
import type { ShareService } from './share-service.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import type { Watch } from './watch-settings.ts';
import { WatchSettings } from './watch-settings.ts';

interface FolderWatchDeps {
  readonly storage: Pick<Storage, 'items' | 'settings' | 'shareJobs'>;
  readonly list: Pick<SphereList, 'all'>;
  readonly shares: Pick<ShareService, 'share'>;
  /** For folders of many files; each is looked at alone when left out. */
  readonly files?: ManyFiles;
  /** Runs work that outlives the look that began it. */
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

const LOOK_MS = 3_000;
/** After so long without a change a file is whole. */
const QUIET_MS = 8_000;
/** Looking at a large folder again takes no more than this part of the time. */
const REST = 50;

/** An entry that is being watched for coming to rest. */
interface Waiting {
  readonly look: string;
  readonly sinceMs: number;
}

/** The files of the items of a folder's spheres, and of shares that were begun. */
interface OwnFiles {
  readonly paths: ReadonlySet<string>;
  readonly looks: ReadonlySet<string>;
  /** Of those that are still being fetched: they have their full length from the beginning, and no identity yet. */
  readonly lengths: ReadonlySet<number>;
}

/**
 * Shares what any program puts into the folder of a sphere, once nobody has written to it for some seconds. What came
 * from others, what is shared already, links, and what a program is still writing are left alone.
 */
export class FolderWatch {
  readonly #deps: FolderWatchDeps;
  readonly #settings: WatchSettings;
  /** Spheres that may have had a folder before folders were watched; that of a new one was made empty. */
  readonly #old: ReadonlySet<SphereId>;
  readonly #waiting = new Map<string, Waiting>();
  /** Paths that need no second look: items, and what is being shared. */
  readonly #known = new Set<string>();
  /** When an entry is looked at again, where looking takes long. */
  readonly #againMs = new Map<string, number>();
  /** What could not be shared, as it was then. */
  readonly #refused = new Map<string, string>();

  constructor(deps: FolderWatchDeps) {
    this.#deps = deps;
    this.#settings = new WatchSettings(deps);
    this.#old = new Set(deps.list.all().map(({ id }) => id));
  }

  isOn(sphere: Sphere): boolean {
    return this.#settings.get(sphere)?.on ?? true;
  }

  /** For all spheres that have the folder. What was put there while it was off stays unshared. */
  async setOn(sphere: Sphere, on: boolean): Promise<void> {
    if (this.isOn(sphere) === on) return;
    this.#settings.set(sphere, { on, left: on ? this.#strange(sphere, await listEntries(sphere.row.folder)) : [] });
  }

  /** Until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      for (const sphere of this.#deps.list.all()) await this.look(sphere, signal);
      await this.#deps.clock.sleep(LOOK_MS, signal);
    }
  }

  /** Looks once. */
  async look(sphere: Sphere, signal: AbortSignal): Promise<void> {
    const isHolder = folderHolder(this.#deps.list.all(), sphere) === sphere;
    const mayShare = isHolder && sphere.role !== 'viewer' && sphere.epochs.length > 0;
    const known = this.#settings.get(sphere);
    // Begun also where nothing may be shared yet: what stays unshared can be written down from then on.
    if (!this.isOn(sphere) || !isHolder || (!mayShare && known !== undefined)) return;
    const entries = await listEntries(sphere.row.folder);
    const watch = known ?? this.#begin(sphere, entries);
    if (!mayShare) return;
    const left = new Set(watch.left);
    let ours: OwnFiles | undefined;
    for (const entry of entries) {
      if (left.has(entry.name) || this.#known.has(keyOf(entry.path))) continue;
      const look = await this.#atRest(entry, signal);
      if (look === null) continue;
      this.#known.add(keyOf(entry.path));
      // Read once for all entries: after a start each of them is looked at. What is new to it may be new to the items.
      ours ??= this.#ownFiles(sphere);
      if (isAmong(ours, entry, look)) continue;
      ours = this.#ownFiles(sphere);
      if (!isAmong(ours, entry, look)) this.#share(sphere.id, entry, look);
    }
    this.#forgetGone(sphere.row.folder, entries);
  }

  #begin(sphere: Sphere, entries: readonly FolderEntry[]): Watch {
    const isNew = !this.#old.has(sphere.id) && this.#settings.sharing(sphere).length <= 1;
    const watch = { on: true, left: isNew ? [] : this.#strange(sphere, entries) };
    this.#settings.set(sphere, watch);
    return watch;
  }

  /** Names of those that no item is made of. */
  #strange(sphere: Sphere, entries: readonly FolderEntry[]): string[] {
    const paths = new Set(this.#items(sphere).map(({ path }) => keyOf(path ?? '')));
    return entries.filter(({ path }) => !paths.has(keyOf(path))).map(({ name }) => name);
  }

  /** What the entry is, once nobody has written to it for long enough. */
  async #atRest(entry: FolderEntry, signal: AbortSignal): Promise<EntryLook | null> {
    const { path } = entry;
    const startMs = this.#deps.clock.monotonic();
    if (startMs < (this.#againMs.get(path) ?? 0)) return null;
    const look = await lookAtEntry(entry, this.#deps.files, signal);
    const nowMs = this.#deps.clock.monotonic();
    this.#againMs.set(path, nowMs + REST * (nowMs - startMs));
    if (look === null || this.#refused.get(path) === look.text) return null;
    const before = this.#waiting.get(path);
    if (before?.look !== look.text) this.#waiting.set(path, { look: look.text, sinceMs: nowMs });
    return before?.look === look.text && nowMs - before.sinceMs >= QUIET_MS ? look : null;
  }

  #items(sphere: Sphere): ItemRow[] {
    const kin = [...folderKin(this.#deps.list.all(), sphere)];
    return kin.flatMap(({ id }) => this.#deps.storage.items.list(id));
  }

  #ownFiles(sphere: Sphere): OwnFiles {
    const { shareJobs } = this.#deps.storage;
    const rows = this.#items(sphere);
    const parts = rows.flatMap(({ layout }) => layout ?? []).filter((part) => part.kind === 'file');
    return {
      paths: new Set([...rows, ...shareJobs.list()].flatMap(({ path }) => (path === null ? [] : [keyOf(path)]))),
      looks: new Set(parts.flatMap(({ identity }) => (identity === null ? [] : [lookOf(identity)]))),
      lengths: new Set(parts.flatMap(({ identity, length }) => (identity === null ? [length] : []))),
    };
  }

  /** What comes under the name of one that went is another. */
  #forgetGone(folder: string, entries: readonly FolderEntry[]): void {
    const there = new Set(entries.flatMap(({ path }) => [path, keyOf(path)]));
    for (const seen of [this.#waiting, this.#againMs, this.#known, this.#refused]) {
      for (const path of seen.keys()) if (dirname(path) === folder && !there.has(path)) seen.delete(path);
    }
  }

  #share(sphereId: SphereId, { path }: FolderEntry, look: EntryLook): void {
    this.#deps.spawn('share what was put into a folder', async (signal) => {
      try {
        await this.#deps.shares.share({ sphereId, paths: [path], plain: false }, signal);
      } catch (error) {
        // Its job tells the person; changed, it is tried again.
        this.#refused.set(path, look.text);
        this.#known.delete(keyOf(path));
        this.#deps.log.info('what was put into a folder is not shared', { sphereId, error });
      }
    });
  }
}

/** Also under another name: moved, or the link of a disk that has no other. */
function isAmong({ paths, looks, lengths }: OwnFiles, { path }: FolderEntry, { identities }: EntryLook): boolean {
  if (paths.has(keyOf(path))) return true;
  return identities.some((identity) => looks.has(lookOf(identity)) || lengths.has(identity.size));
}

const lookOf = ({ inode, size, mtimeNs }: FileIdentity): string => `${inode} ${size} ${mtimeNs}`;

/** File systems differ in how they write a name back. */
const keyOf = (path: string): string => join(dirname(path), collisionKey(basename(path)));
