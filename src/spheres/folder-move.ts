import { constants, existsSync } from 'node:fs';
import { access, mkdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import * as z from 'zod';
import { toHex } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError } from '../base/errors.ts';
import type { SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { RandomBytes } from '../base/random.ts';
import { untilAborted } from '../base/until-aborted.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import { fileError, systemCode } from '../torrent/file-error.ts';
import { freeFolder } from '../torrent/free-folder.ts';
import { requireSpace } from '../torrent/free-space.ts';
import { isWithin } from '../torrent/is-within.ts';
import { syncFolder } from '../torrent/sync-folder.ts';
import { markOfIdentity, measureTree, removeCopied, TreeCopy } from '../torrent/tree-copy.ts';
import type { FolderWay, NewIdentities } from './folder-rows.ts';
import { identitiesOf, movedPath, moveRows, rowsWithin } from './folder-rows.ts';
import type { ItemService } from './item-service.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import type { SwarmFeed } from './swarm-feed.ts';

interface FolderMoveDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly feed: Pick<SwarmFeed, 'remove'>;
  readonly items: Pick<ItemService, 'activate' | 'checked' | 'resumeWaiting'>;
  /** Runs work that outlives the call that began it. */
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  /** Moves a folder within a disk; fails with EXDEV when it lies on another one. */
  readonly rename?: (from: string, to: string) => Promise<void>;
  /** Fails with `disk-full` when so many bytes do not fit there. */
  readonly requireSpace?: (folder: string, bytes: number) => Promise<void>;
}

export interface MovedFolder {
  readonly folder: string;
  /** Files that stayed in the old folder: they were changed or came while it was moved. */
  readonly stayed: number;
}

export interface MoveProgress {
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

const KEY = 'folder-move';
const paths = z.array(z.string()).readonly();
/** What a program that was killed in the middle has still to do. The first of `names` is the real path, without links. */
const noteSchema = z.discriminatedUnion('step', [
  z.object({ step: z.literal('rename'), names: paths, to: z.string() }),
  z.object({ step: z.literal('copy'), stage: z.string() }),
  /** The copy is whole and gets its name. `marks`: what was copied, as it was. */
  z.object({
    step: z.literal('place'),
    ...{ names: paths, to: z.string(), stage: z.string(), marks: paths },
  }),
  z.object({ step: z.literal('remove'), folder: z.string(), marks: paths }),
]);
type Note = z.infer<typeof noteSchema>;

/** `stop`: the engine ends; `either`: or the person changed their mind, as long as that is possible. */
interface Signals {
  readonly stop: AbortSignal;
  readonly either: AbortSignal;
}

/** A folder that is written to all the time is not waited for without end. */
const MAX_PASSES = 60;
const PASS_MS = 1_000;

/**
 * Moves a sphere's folder to another place, on this disk or another. Until the database says in one transaction that it
 * lies there, all of it lies in the old place; only then what was copied goes from there. One at a time.
 */
export class FolderMove {
  readonly onProgress: Emitter<SphereId>;
  readonly #deps: FolderMoveDeps;
  #running: {
    readonly spheres: readonly SphereId[];
    readonly abort: AbortController;
    done: number;
    total: number;
  } | null = null;

  constructor(deps: FolderMoveDeps) {
    this.#deps = deps;
    this.onProgress = new Emitter((error) => deps.log.error('move listener failed', { error }));
  }

  /** null = its folder is not being moved. */
  progress(sphereId: SphereId): MoveProgress | null {
    if (this.#running?.spheres.includes(sphereId) !== true) return null;
    return { bytesDone: Math.min(this.#running.done, this.#running.total), bytesTotal: this.#running.total };
  }

  /** Takes a move back that is not at its end. */
  cancel(sphereId: SphereId): void {
    if (this.#running?.spheres.includes(sphereId) !== true)
      throw new AppError('not-found', 'its folder is not being moved');
    this.#running.abort.abort(new AppError('cancelled', 'cancelled by the person'));
  }

  /**
   * Moves the folder into the folder `into`, under its own name or that name with a number. The signal ends the waiting
   * only: the move goes on and ends by `cancel`.
   */
  async move(sphere: Sphere, into: string, signal: AbortSignal): Promise<MovedFolder> {
    // One that was cut off and whose disk is away concerns nobody any more.
    const isBusy = this.#running !== null || (this.#note() ?? { step: 'rename' }).step !== 'rename';
    if (isBusy) throw new AppError('conflict', 'a folder is being moved');
    const abort = new AbortController();
    // Taken before the first wait: a second one must not begin beside it.
    this.#running = { spheres: [sphere.id], abort, done: 0, total: 0 };
    const ended = Promise.withResolvers<MovedFolder>();
    this.#deps.spawn('move folder', async (stop) => {
      const signals = { stop, either: AbortSignal.any([stop, abort.signal]) };
      await this.#run(sphere, into, signals).then(ended.resolve, ended.reject);
    });
    return await Promise.race([ended.promise, untilAborted(signal)]);
  }

  /** After a start, before anything is read or written: what a killed program had begun is finished or taken back. */
  async settle(): Promise<void> {
    const { storage, log } = this.#deps;
    const note = this.#note();
    if (note === undefined) return;
    log.info('a folder was being moved', { step: note.step });
    if (note.step === 'rename') {
      // Neither is there while the disk is away.
      if (existsSync(note.names[0] ?? '')) storage.settings.remove(KEY);
      else if (existsSync(note.to)) this.#switch(note, new Map(), null);
      return;
    }
    if (note.step === 'place' && !existsSync(note.stage) && existsSync(note.to)) await this.#place(note);
    this.#deps.spawn('tidy up after a move', async (signal) => {
      const next = this.#note();
      if (next?.step === 'copy' || next?.step === 'place') await this.#takeBack(next.stage);
      if (next?.step === 'remove') await this.#removeOld(next, signal);
    });
  }

  async #run(sphere: Sphere, into: string, signals: Signals): Promise<MovedFolder> {
    const { list, items, log } = this.#deps;
    const { either } = signals;
    let held: readonly ItemRow[] = [];
    try {
      const way = await this.#plan(sphere, into, either);
      held = await this.#hold(way);
      return await this.#carry(way, signals);
    } catch (error) {
      if (!either.aborted) log.warn('folder not moved', { error });
      throw either.aborted ? either.reason : fileError(error, 'the folder cannot be moved');
    } finally {
      const spheres = this.#running?.spheres ?? [];
      for (const id of spheres) list.moving.delete(id);
      this.#running = null;
      for (const id of spheres) this.onProgress.emit(id);
      this.#deps.spawn('go on after a move', async (stop) => {
        for (const { itemId } of held) await items.activate(itemId, stop);
        await items.resumeWaiting(stop);
      });
    }
  }

  /** Where to; fails before anything is done when it cannot be. */
  async #plan(sphere: Sphere, into: string, signal: AbortSignal): Promise<FolderWay> {
    const { folder } = sphere.row;
    const from = await realpath(folder);
    const place = await realPlace(into);
    if (isWithin(from, place)) throw new AppError('bad-input', 'a folder cannot be moved into itself');
    if (dirname(from) === place) throw new AppError('conflict', 'it lies there already');
    for (const { row } of this.#deps.list.all()) {
      if (row.folder === folder) continue;
      // What comes to lie in the folder of another sphere would be shared there.
      const other = existsSync(row.folder) ? await realpath(row.folder) : row.folder;
      if (isWithin(other, place) || isWithin(from, other))
        throw new AppError('not-allowed', 'another sphere lies there');
    }
    signal.throwIfAborted();
    return { names: [...new Set([from, folder])], to: freeFolder(place, basename(folder)) };
  }

  /** Nothing of it is read or written from here on. Gives what the swarm had. */
  async #hold(way: FolderWay): Promise<ItemRow[]> {
    const { storage, list, feed, items } = this.#deps;
    const rows = rowsWithin(storage, way);
    const isChecked = rows.some(({ itemId, state }) => state === 'verifying' || items.checked(itemId) !== null);
    if (isChecked || this.#isBeingShared(way)) throw busy();
    const owners = list.all().filter(({ row }) => way.names.includes(row.folder));
    const spheres = [...new Set([...owners.map(({ id }) => id), ...rows.map(({ sphereId }) => sphereId)])];
    if (this.#running !== null) this.#running = { ...this.#running, spheres };
    for (const id of spheres) list.moving.add(id);
    const wanted = storage.items.listWanted().filter(({ sphereId }) => spheres.includes(sphereId));
    await Promise.all(wanted.map(({ infoHash }) => feed.remove(infoHash)));
    for (const id of spheres) this.onProgress.emit(id);
    return wanted;
  }

  /** What is still read to be shared must stay where it is. */
  #isBeingShared(way: FolderWay): boolean {
    return this.#deps.storage.shareJobs.list().some(({ path }) => movedPath(way, path) !== undefined);
  }

  async #carry(way: FolderWay, signals: Signals): Promise<MovedFolder> {
    const { storage } = this.#deps;
    const [from = ''] = way.names;
    if (this.#isBeingShared(way)) throw busy();
    this.#write({ step: 'rename', ...way });
    try {
      await (this.#deps.rename ?? rename)(from, way.to);
      this.#switch(way, new Map(), null);
      await syncFolder(dirname(way.to));
      return { folder: way.to, stayed: 0 };
    } catch (error) {
      if (existsSync(from)) storage.settings.remove(KEY);
      if (systemCode(error) !== 'EXDEV') throw error;
    }
    return this.#copy(way, from, signals);
  }

  async #copy(way: FolderWay, from: string, { either: signal, stop }: Signals): Promise<MovedFolder> {
    const { random } = this.#deps;
    const place = dirname(way.to);
    const size = await measureTree(from, signal);
    await (this.#deps.requireSpace ?? requireSpace)(place, size.stored);
    if (this.#running !== null) this.#running.total = size.bytes;
    // Of a name that nobody else has: what is left of it after a crash is ours to delete.
    const stage = join(place, `.spherecast-${toHex(random(8))}`);
    this.#write({ step: 'copy', stage });
    let note: Extract<Note, { step: 'place' }>;
    try {
      await mkdir(stage, { mode: 0o700 });
      note = { step: 'place', ...way, stage, marks: await this.#copyInto(stage, way, from, signal) };
      signal.throwIfAborted();
      this.#write(note);
      await rename(stage, way.to);
    } catch (error) {
      await this.#takeBack(stage);
      throw error;
    }
    const removal = await this.#place(note);
    return { folder: way.to, stayed: await this.#removeOld(removal, stop) };
  }

  async #copyInto(stage: string, way: FolderWay, from: string, signal: AbortSignal): Promise<string[]> {
    const { storage, clock } = this.#deps;
    const foreign = foreignMarks(storage, way);
    const copy = new TreeCopy({
      from,
      to: stage,
      isForeign: (mark) => foreign.has(mark),
      onBytes: (bytes) => this.#progressed(bytes),
    });
    for (let passes = 0; ; passes += 1) {
      const changes = await copy.pass(signal);
      if (changes === 0 && !this.#isBeingShared(way)) break;
      if (passes === MAX_PASSES) throw new AppError('file-changed', 'the folder is being written to');
      if (passes > 0) await clock.sleep(PASS_MS, signal);
    }
    await copy.sync();
    return copy.marks;
  }

  /** The copy has its name: the database says so. */
  async #place(note: Extract<Note, { step: 'place' }>): Promise<Extract<Note, { step: 'remove' }>> {
    const { names, to, marks } = note;
    const removal = { step: 'remove', folder: names[0] ?? '', marks } as const;
    await syncFolder(dirname(to));
    this.#switch(note, await identitiesOf(note, rowsWithin(this.#deps.storage, note)), removal);
    return removal;
  }

  #switch(way: FolderWay, identities: NewIdentities, next: Note | null): void {
    const { storage } = this.#deps;
    storage.transaction(() => {
      moveRows(storage, way, identities);
      if (next === null) storage.settings.remove(KEY);
      else this.#write(next);
    });
  }

  async #removeOld({ folder, marks }: Extract<Note, { step: 'remove' }>, signal: AbortSignal): Promise<number> {
    const stayed = await removeCopied({ folder, marks: new Set(marks) }, signal);
    this.#deps.storage.settings.remove(KEY);
    return stayed;
  }

  async #takeBack(stage: string): Promise<void> {
    // A copy that is gone again must not look like one that got its name, should the program be killed now.
    this.#write({ step: 'copy', stage });
    await rm(stage, { recursive: true, force: true });
    this.#deps.storage.settings.remove(KEY);
  }

  #progressed(bytes: number): void {
    if (this.#running === null) return;
    this.#running.done += bytes;
    for (const id of this.#running.spheres) this.onProgress.emit(id);
  }

  #note(): Note | undefined {
    return this.#deps.storage.settings.get(KEY, (value) => noteSchema.parse(value));
  }

  #write(note: Note): void {
    this.#deps.storage.settings.set(KEY, note);
  }
}

const busy = (): AppError => new AppError('conflict', 'something in the folder is being shared or checked');

async function realPlace(into: string): Promise<string> {
  try {
    const place = await realpath(into);
    if (!(await stat(place)).isDirectory()) throw new AppError('not-found', 'this is no folder', { path: into });
    await access(place, constants.W_OK);
    return place;
  } catch (error) {
    if (error instanceof AppError) throw error;
    const isThere = ['EACCES', 'EPERM', 'EROFS'].includes(systemCode(error) ?? '');
    const code = isThere ? 'disk-error' : 'not-found';
    throw new AppError(code, 'the folder is not there or cannot be written to', { path: into }, error);
  }
}

/** Originals that lie elsewhere and are shown in the folder by another name of theirs, as on Windows. */
function foreignMarks({ items }: Storage, way: FolderWay): ReadonlySet<string> {
  const parts = items.listAll().flatMap(({ layout }) => layout ?? []);
  return new Set(
    parts.flatMap((part) => {
      if (part.kind !== 'file' || part.identity === null || movedPath(way, part.path) !== undefined) return [];
      return [markOfIdentity(part.identity)];
    }),
  );
}
