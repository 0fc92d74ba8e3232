import { basename, resolve } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { toHex } from '../base/bytes.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { ItemId, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import type { RandomBytes } from '../base/random.ts';
import type { ShareJobView } from '../contract/views.ts';
import { NO_LIMITS } from '../contract/views.ts';
import { untilAborted } from '../base/until-aborted.ts';
import { isOnList } from '../storage/item-table.ts';
import type { ShareJobRow } from '../storage/share-job-table.ts';
import type { Storage } from '../storage/storage.ts';
import { type EnumeratedTree, enumerateWith } from '../torrent/enumerate.ts';
import type { ManyFiles } from '../torrent/file-thread.ts';
import { DIGEST_BYTES, pieceCount } from '../torrent/metainfo.ts';
import { attachmentsOf, bodyOf } from './announcement.ts';
import { describeItem, type MediaTools } from './describe-item.ts';
import { type Descent, descentOf, unlikeBefore } from './edited-item.ts';
import { itemLine } from './human-line.ts';
import { fullBitfield } from './piece-map.ts';
import type { ItemDraft, PreparedItem } from './prepare-item.ts';
import { draftItem, hashDraft } from './prepare-item.ts';
import { isTorrentFile, shareTorrent } from './public-torrent.ts';
import { renewDraft } from './renew-draft.ts';
import { draftOf, encodeDraft } from './share-draft.ts';
import { ShareLink } from './share-link.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import type { SwarmFeed } from './swarm-feed.ts';

interface ShareServiceDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly feed: SwarmFeed;
  readonly media: MediaTools;
  readonly files?: ManyFiles;
  /** The item is stored and announced: seed it. */
  readonly activate: (itemId: ItemId, signal: AbortSignal) => Promise<void>;
  /** The files of this item are another's from now on. */
  readonly letGo: (itemId: ItemId) => Promise<void>;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Logger;
  /** What kind of link a file gets; this computer's when left out. */
  readonly platform?: NodeJS.Platform;
}

interface Job {
  view: ShareJobView;
  readonly abort: AbortController;
  readonly startedAtMs: number;
  /** Bytes that an earlier run had hashed. */
  bytesBefore: number;
}

const MAX_FINISHED_JOBS = 50;
/** How much hashing a killed program may do again. */
const KEEP_DIGESTS_MS = 3_000;

/**
 * Puts files and folders of this disk into spheres: looks, hashes, then announces; never copies. What was begun is
 * written down: it goes on when nobody waits for it any more, and after a restart behind what was hashed before.
 */
export class ShareService implements AsyncDisposable {
  readonly onJob: Emitter<ShareJobView>;
  readonly #deps: ShareServiceDeps;
  readonly #jobs = new Map<string, Job>();
  readonly #queue = new SerialQueue();
  #stopped = false;

  constructor(deps: ShareServiceDeps) {
    this.#deps = deps;
    this.onJob = new Emitter((error) => deps.log.error('job listener failed', { error }));
  }

  jobs(): ShareJobView[] {
    return [...this.#jobs.values()].map(({ view }) => view);
  }

  /** What was not shared with an item, as long as its job is remembered. */
  leftOut(itemId: ItemId): ShareJobView['leftOut'] {
    return this.jobs().find((job) => job.itemId === itemId)?.leftOut ?? [];
  }

  cancel(jobId: string): void {
    const job = this.#jobs.get(jobId);
    if (job === undefined) throw new AppError('not-found', 'no such share');
    job.abort.abort(new AppError('cancelled', 'cancelled by the person'));
  }

  /**
   * One item per path. Resolves when all are announced; the first failure is thrown after the others were tried. The
   * signal ends the waiting only: what was begun ends by `cancel`.
   */
  async share(
    input: { readonly sphereId: SphereId; readonly paths: readonly string[]; readonly plain: boolean },
    signal: AbortSignal,
  ): Promise<ItemId[]> {
    const sphere = this.#deps.list.getJoined(input.sphereId);
    if (sphere.role === 'viewer') throw new AppError('not-allowed', 'who only looks shares nothing');
    // Fails now rather than after an hour of hashing.
    void sphere.currentEpoch;
    if (signal.aborted) throw new AppError('cancelled', 'nobody waits for the share', {}, signal.reason);
    const rows = input.paths.map((path) => this.#begin(sphere, { path, plain: input.plain, replaces: null }));
    const results = Promise.allSettled(rows.map((row) => this.#enqueue(row)));
    const ended = await Promise.race([results, untilAborted(signal)]);
    const failed = ended.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return ended.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  }

  /** After a start: what was begun goes on. */
  resume(): void {
    const rows = this.#deps.storage.shareJobs.list().filter(({ id }) => !this.#jobs.has(id));
    // A failure is shown with its job.
    for (const row of rows) this.#enqueue(row).catch(() => undefined);
  }

  /** What is under way ends here; it goes on after the next start, unless the account goes with its database. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    for (const { abort } of this.#jobs.values()) abort.abort(new AppError('cancelled', 'signed out'));
    await this.#queue.run(() => undefined);
  }

  /**
   * Shares an item of this device again under a new key, in its own place: the same bytes, read again from where they
   * lie. Fails with `file-changed` when they are not what was shared.
   */
  async renew(itemId: ItemId): Promise<ItemId> {
    const { storage, list } = this.#deps;
    const item = storage.items.get(itemId);
    if (item === undefined || item.path === null) throw new AppError('not-found', 'not on this disk', { itemId });
    const isBegun = storage.shareJobs.list().some(({ replaces }) => replaces === itemId);
    if (isBegun) throw new AppError('conflict', 'it is under way already', { itemId });
    const sphere = list.getJoined(item.sphereId);
    return this.#enqueue(this.#begin(sphere, { path: item.path, plain: false, replaces: itemId }));
  }

  #begin(sphere: Sphere, what: Pick<ShareJobRow, 'path' | 'plain' | 'replaces'>): ShareJobRow {
    const { storage, clock, random } = this.#deps;
    const begunAtMs = clock.now();
    const id = toHex(random(8));
    const empty = { link: null, draft: null, pieces: new Uint8Array() };
    const row: ShareJobRow = { id, sphereId: sphere.id, ...what, path: resolve(what.path), ...empty, begunAtMs };
    storage.shareJobs.put(row);
    return row;
  }

  #enqueue(row: ShareJobRow): Promise<ItemId> {
    const job = this.#add(row);
    return this.#queue.run(() => this.#run(row, job));
  }

  async #run(row: ShareJobRow, job: Job): Promise<ItemId> {
    try {
      const itemId = await this.#shareOne(row, job);
      this.#show(job, { phase: 'done', itemId, bytesDone: job.view.bytesTotal, bytesPerSecond: 0 });
      return itemId;
    } catch (error) {
      const cancelled = job.abort.signal.aborted;
      if (!this.#stopped) this.#deps.storage.shareJobs.remove(row.id);
      const code = cancelled ? ('cancelled' as const) : errorCode(error);
      if (!cancelled) this.#deps.log.warn('share failed', { error });
      const message = error instanceof Error ? error.message : 'unknown';
      this.#show(job, { phase: cancelled ? 'cancelled' : 'failed', error: { code, message }, bytesPerSecond: 0 });
      throw cancelled ? new AppError('cancelled', 'the share was cancelled', {}, error) : error;
    }
  }

  async #shareOne(row: ShareJobRow, job: Job): Promise<ItemId> {
    const { path } = row;
    const { signal } = job.abort;
    signal.throwIfAborted();
    const sphere = this.#deps.list.getJoined(row.sphereId);
    if (row.replaces === null && isTorrentFile(path)) {
      const itemId = await shareTorrent(this.#deps, sphere, path);
      this.#deps.storage.shareJobs.remove(row.id);
      return itemId;
    }
    const looked = await enumerateWith({ many: this.#deps.files }, path, signal);
    this.#show(job, { name: looked.name, bytesTotal: looked.totalBytes, leftOut: leftOutView(looked) });
    if (looked.files.length === 0) throw new AppError('bad-input', 'there is no file in it to share');
    await using link = await this.#link(sphere, row, looked, signal);
    try {
      // A hard link changes the file's ctime: what counts is what it is from now on.
      const tree = looked.root === 'file' ? await enumerateWith({}, path, signal) : looked;
      const draft = await this.#draft(tree, row, job);
      const prepared = await this.#hash(draft, row.id, job);
      signal.throwIfAborted();
      this.#show(job, { phase: 'sending', bytesDone: tree.totalBytes });
      const descent = this.#descent(sphere, row, tree);
      const itemId = this.#announce(sphere, prepared, row, descent);
      link.keep();
      if (descent.basedOn !== null) await this.#deps.letGo(descent.basedOn);
      await this.#deps.activate(itemId, signal);
      return itemId;
    } finally {
      // It goes on after the next start, and its link with it.
      if (this.#stopped) link.keep();
    }
  }

  /** What an earlier run had begun, if the files are still the same. */
  async #draft(tree: EnumeratedTree, row: ShareJobRow, job: Job): Promise<ItemDraft> {
    const { random, storage, list } = this.#deps;
    const begun = row.draft === null ? null : draftOf(tree, row.draft);
    if (begun !== null) return begun;
    if (row.replaces !== null) return this.#renewed(tree, row, row.replaces);
    const described = await describeItem(tree, this.#deps, job.abort.signal);
    const sphere = list.get(row.sphereId);
    const description = unlikeBefore(storage, sphere, this.#descent(sphere, row, tree), described);
    const draft = draftItem({ tree, description, plain: row.plain }, random);
    storage.shareJobs.update(row.id, { draft: encodeDraft(draft), pieces: new Uint8Array() });
    return draft;
  }

  /** The item as it was described before, under a new key. */
  #renewed(tree: EnumeratedTree, row: ShareJobRow, itemId: ItemId): ItemDraft {
    const { storage, list, random } = this.#deps;
    const item = list.get(row.sphereId).state.items.get(itemId);
    if (item?.event.type !== 'item') throw new AppError('not-found', 'no such item', { itemId });
    const draft = renewDraft({ storage, random }, item.event, tree);
    storage.shareJobs.update(row.id, { draft: encodeDraft(draft), pieces: new Uint8Array() });
    return draft;
  }

  async #hash(draft: ItemDraft, id: string, job: Job): Promise<PreparedItem> {
    const { feed, storage, clock } = this.#deps;
    const { signal } = job.abort;
    const digests = new KeptDigests(storage, id, () => clock.monotonic());
    job.bytesBefore = Math.min(draft.tree.totalBytes, digests.count * draft.layout.pieceLength);
    this.#show(job, { phase: 'preparing', bytesDone: job.bytesBefore });
    const onProgress = (bytesDone: number, pieces: Uint8Array): void => {
      digests.add(pieces);
      this.#progress(job, bytesDone);
    };
    try {
      return await feed.ask((swarm) => hashDraft(draft, digests.all(), { swarm, onProgress }, signal), signal);
    } finally {
      digests.keep();
    }
  }

  /** From here on the item exists: event, key, layout and outgoing message are kept together. */
  #announce(sphere: Sphere, item: PreparedItem, { id, path }: ShareJobRow, descent: Descent): ItemId {
    const { storage, list, clock, random } = this.#deps;
    // Hashing takes its time: the membership may have ended meanwhile.
    list.getJoined(sphere.id);
    // A plain item has the same torrent each time it is shared.
    if (storage.items.byInfoHash(item.infoHash).length > 0) throw new AppError('conflict', 'this was shared already');
    const epoch = item.mediaKey === null ? null : sphere.currentEpoch;
    const { attachments, kept } = attachmentsOf(item, epoch, random);
    const body = bodyOf(item, epoch, descent);
    const { replaces } = descent;
    // The line of the first version leads to the newest one.
    const line =
      replaces === null ? itemLine({ kind: body.media.kind, name: item.tree.name, bytes: body.bytes }) : null;
    if (replaces !== null) this.#requireReplaceable(sphere, replaces);
    return list.together(sphere, () => {
      const event = list.publish(sphere, 'item', body, { audience: { kind: 'members' }, attachments, kept, line });
      if (sphere.log.verdict(event.id)?.kind === 'refused') throw new AppError('not-allowed', 'it would not count');
      const itemId = event.id as string as ItemId;
      const pieces = pieceCount({ length: item.layout.totalLength, pieceLength: item.layout.pieceLength });
      storage.items.put({
        itemId,
        sphereId: sphere.id,
        infoHash: item.infoHash,
        state: 'sharing',
        wanted: true,
        paused: false,
        bytesHave: item.tree.totalBytes,
        bitfield: fullBitfield(pieces),
        path,
        layout: item.segments,
        updatedAtMs: clock.now(),
        removedAtMs: 0,
        deletedAtMs: 0,
        chosen: null,
        priority: 'normal',
        limits: NO_LIMITS,
      });
      storage.shareJobs.remove(id);
      return itemId;
    });
  }

  #descent(sphere: Sphere, { replaces, path }: ShareJobRow, tree: EnumeratedTree): Descent {
    return replaces === null ? descentOf(this.#deps.storage, sphere, path, tree) : { replaces, basedOn: null };
  }

  /** Hashing takes its time: it may have been taken off the list meanwhile, or got another version. */
  #requireReplaceable(sphere: Sphere, itemId: ItemId): void {
    const item = sphere.state.items.get(itemId);
    const row = this.#deps.storage.items.get(itemId);
    if (item?.replacedBy === null && row !== undefined && isOnList(row)) return;
    throw new AppError('cancelled', 'the item is not in use any more', { itemId });
  }

  async #link(sphere: Sphere, row: ShareJobRow, tree: EnumeratedTree, signal: AbortSignal): Promise<ShareLink> {
    const { log, platform, storage } = this.#deps;
    // What takes the place of another has its link already.
    if (this.#descent(sphere, row, tree).replaces !== null) return ShareLink.none({ log });
    if (row.link !== null) return ShareLink.placed({ path: row.link, target: row.path }, { log });
    const place = { folder: sphere.row.folder, name: tree.name, target: row.path, kind: tree.root };
    const link = await ShareLink.place({ ...place, ...(platform === undefined ? {} : { platform }) }, { log }, signal);
    if (link.path !== null) storage.shareJobs.update(row.id, { link: link.path });
    return link;
  }

  #add({ id, sphereId, path, replaces }: ShareJobRow): Job {
    const { clock } = this.#deps;
    const view: ShareJobView = {
      id,
      sphereId,
      name: basename(path) === '' ? path : basename(path),
      phase: 'looking',
      bytesDone: 0,
      bytesTotal: 0,
      bytesPerSecond: 0,
      leftOut: [],
      itemId: null,
      error: null,
      isNewKey: replaces !== null,
    };
    const job = { view, abort: new AbortController(), startedAtMs: clock.monotonic(), bytesBefore: 0 };
    this.#jobs.set(view.id, job);
    this.#forgetOld();
    this.onJob.emit(view);
    return job;
  }

  #progress(job: Job, bytesDone: number): void {
    const seconds = Math.max(0.001, (this.#deps.clock.monotonic() - job.startedAtMs) / 1000);
    this.#show(job, { bytesDone, bytesPerSecond: Math.round(Math.max(0, bytesDone - job.bytesBefore) / seconds) });
  }

  #show(job: Job, change: Partial<ShareJobView>): void {
    job.view = { ...job.view, ...change };
    this.onJob.emit(job.view);
  }

  #forgetOld(): void {
    const ended = [...this.#jobs.values()].filter(({ view }) => ['done', 'cancelled', 'failed'].includes(view.phase));
    for (const { view } of ended.slice(0, Math.max(0, ended.length - MAX_FINISHED_JOBS))) this.#jobs.delete(view.id);
  }
}

/** The digests of a share under way; what came last is written down every few seconds. */
class KeptDigests {
  readonly #storage: Storage;
  readonly #id: string;
  readonly #now: () => number;
  #chunks: Uint8Array[];
  #isNew = false;
  #keptAtMs: number;

  constructor(storage: Storage, id: string, now: () => number) {
    this.#storage = storage;
    this.#id = id;
    this.#now = now;
    this.#keptAtMs = now();
    this.#chunks = [storage.shareJobs.get(id)?.pieces ?? new Uint8Array()];
  }

  /** Pieces. */
  get count(): number {
    return this.all().length / DIGEST_BYTES;
  }

  all(): Uint8Array {
    const all = new Uint8Array(Buffer.concat(this.#chunks));
    this.#chunks = [all];
    return all;
  }

  add(pieces: Uint8Array): void {
    if (pieces.length === 0) return;
    this.#chunks.push(pieces);
    this.#isNew = true;
    if (this.#now() - this.#keptAtMs >= KEEP_DIGESTS_MS) this.keep();
  }

  keep(): void {
    if (!this.#isNew) return;
    this.#storage.shareJobs.update(this.#id, { pieces: this.all() });
    this.#isNew = false;
    this.#keptAtMs = this.#now();
  }
}

/** Clutter of file managers is nothing a person misses. */
function leftOutView({ leftOut }: EnumeratedTree): ShareJobView['leftOut'] {
  return leftOut.flatMap(({ reason, count, names }) =>
    reason === 'clutter' ? [] : [{ reason, count, names: [...names] }],
  );
}
