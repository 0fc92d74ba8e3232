import { basename, dirname, join } from 'node:path';
import * as z from 'zod';
import type { Clock } from '../base/clock.ts';
import type { SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { FileIdentity } from '../contract/swarm.ts';
import type { Storage } from '../storage/storage.ts';
import { collisionKey } from '../torrent/safe-name.ts';
import type { EntryLook, FolderEntry } from './folder-entries.ts';
import { listEntries, lookAtEntry } from './folder-entries.ts';
import type { ShareService } from './share-service.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

interface FolderWatchDeps {
  readonly storage: Pick<Storage, 'items' | 'settings' | 'shareJobs'>;
  readonly list: Pick<SphereList, 'all'>;
  readonly shares: Pick<ShareService, 'share'>;
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

/** `left`: what lay in the folder before it was watched, and stays as it is. */
const watchSchema = z.object({ on: z.boolean(), left: z.array(z.string()) });
type Watch = z.infer<typeof watchSchema>;

/** An entry that is being watched for coming to rest. */
interface Waiting {
  readonly look: string;
  readonly sinceMs: number;
}

/**
 * Shares what any program puts into the folder of a sphere, once nobody has written to it for some seconds. What came
 * from others, what is shared already, links, and what a program is still writing are left alone.
 */
export class FolderWatch {
  readonly #deps: FolderWatchDeps;
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
    this.#old = new Set(deps.list.all().map(({ id }) => id));
  }

  isOn(sphereId: SphereId): boolean {
    return this.#watch(sphereId)?.on ?? true;
  }

  /** What was put there while it was off stays unshared. */
  async setOn({ id, row }: Pick<Sphere, 'id' | 'row'>, on: boolean): Promise<void> {
    if (this.isOn(id) !== on) this.#store(id, { on, left: on ? this.#strange(id, await listEntries(row.folder)) : [] });
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
    const mayShare = sphere.row.state === 'joined' && sphere.role !== 'viewer' && sphere.epochs.length > 0;
    if (!mayShare || !this.isOn(sphere.id)) return;
    const entries = await listEntries(sphere.row.folder);
    const watch = this.#watch(sphere.id) ?? this.#begin(sphere.id, entries);
    for (const entry of entries) {
      if (watch.left.includes(entry.name) || this.#known.has(keyOf(entry.path))) continue;
      const look = await this.#atRest(entry, signal);
      if (look === null) continue;
      this.#known.add(keyOf(entry.path));
      if (!this.#isOurs(sphere.id, entry, look)) this.#share(sphere.id, entry, look);
    }
    this.#forgetGone(sphere.row.folder, entries);
  }

  #begin(sphereId: SphereId, entries: readonly FolderEntry[]): Watch {
    const watch = { on: true, left: this.#old.has(sphereId) ? this.#strange(sphereId, entries) : [] };
    this.#store(sphereId, watch);
    return watch;
  }

  /** Names of those that no item is made of. */
  #strange(sphereId: SphereId, entries: readonly FolderEntry[]): string[] {
    const paths = new Set(this.#deps.storage.items.list(sphereId).map(({ path }) => keyOf(path ?? '')));
    return entries.filter(({ path }) => !paths.has(keyOf(path))).map(({ name }) => name);
  }

  /** What the entry is, once nobody has written to it for long enough. */
  async #atRest(entry: FolderEntry, signal: AbortSignal): Promise<EntryLook | null> {
    const { path } = entry;
    const startMs = this.#deps.clock.monotonic();
    if (startMs < (this.#againMs.get(path) ?? 0)) return null;
    const look = await lookAtEntry(entry, signal);
    const nowMs = this.#deps.clock.monotonic();
    this.#againMs.set(path, nowMs + REST * (nowMs - startMs));
    if (look === null || this.#refused.get(path) === look.text) return null;
    const before = this.#waiting.get(path);
    if (before?.look !== look.text) this.#waiting.set(path, { look: look.text, sinceMs: nowMs });
    return before?.look === look.text && nowMs - before.sinceMs >= QUIET_MS ? look : null;
  }

  /** An item or a share that was begun; also under another name: moved, or the link of a disk that has no other. */
  #isOurs(sphereId: SphereId, { path }: FolderEntry, { identities }: EntryLook): boolean {
    const { items, shareJobs } = this.#deps.storage;
    const same = ({ inode, size, mtimeNs }: FileIdentity): string => `${inode} ${size} ${mtimeNs}`;
    const looks = new Set(identities.map(same));
    const sizes = new Set(identities.map(({ size }) => size));
    if (shareJobs.list().some((job) => keyOf(job.path) === keyOf(path))) return true;
    return items.list(sphereId).some((item) => {
      if (item.path !== null && keyOf(item.path) === keyOf(path)) return true;
      return (item.layout ?? []).some((part) => {
        if (part.kind !== 'file') return false;
        // One that is still being fetched has its full length from the beginning, and no identity yet.
        return part.identity === null ? sizes.has(part.length) : looks.has(same(part.identity));
      });
    });
  }

  /** What comes under the name of one that went is another. */
  #forgetGone(folder: string, entries: readonly FolderEntry[]): void {
    const there = new Set(entries.flatMap(({ path }) => [path, keyOf(path)]));
    for (const seen of [this.#waiting, this.#againMs, this.#known, this.#refused]) {
      for (const path of seen.keys()) if (path.startsWith(folder) && !there.has(path)) seen.delete(path);
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

  #watch(sphereId: SphereId): Watch | undefined {
    return this.#deps.storage.settings.get(settingOf(sphereId), (value) => watchSchema.parse(value));
  }

  #store(sphereId: SphereId, watch: Watch): void {
    this.#deps.storage.settings.set(settingOf(sphereId), watch);
  }
}

const settingOf = (sphereId: SphereId): string => `folder-watch ${sphereId}`;

/** File systems differ in how they write a name back. */
const keyOf = (path: string): string => join(dirname(path), collisionKey(basename(path)));
