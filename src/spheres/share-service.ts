import { resolve } from 'node:path';
import type { Clock } from '../base/clock.ts';
import { toHex } from '../base/bytes.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { ItemId, SphereId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import { SerialQueue } from '../base/queue.ts';
import type { RandomBytes } from '../base/random.ts';
import type { ShareJobView } from '../contract/views.ts';
import type { Storage } from '../storage/storage.ts';
import type { EnumeratedTree } from '../torrent/enumerate.ts';
import { enumerateTree } from '../torrent/enumerate.ts';
import { pieceCount } from '../torrent/metainfo.ts';
import type { MediaTools } from './describe-item.ts';
import { describeItem } from './describe-item.ts';
import { itemLine, itemName } from './human-line.ts';
import { fullBitfield } from './piece-map.ts';
import type { PreparedItem } from './prepare-item.ts';
import { prepareItem } from './prepare-item.ts';
import type { Attachment } from './protocol/envelope.ts';
import { attachment } from './protocol/envelope.ts';
import { sha256Hex } from './protocol/keys.ts';
import { INLINE_MANIFEST_BYTES } from './protocol/manifest.ts';
import { keyCheck, wrapMediaKey } from './protocol/media-key.ts';
import { ShareLink } from './share-link.ts';
import type { HeldEpoch, Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';
import type { SwarmFeed } from './swarm-feed.ts';

interface ShareServiceDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly feed: SwarmFeed;
  readonly media: MediaTools;
  /** The item is stored and announced: seed it. */
  readonly activate: (itemId: ItemId, signal: AbortSignal) => Promise<void>;
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
}

/** Metainfo up to here travels beside the event; beyond, members ask each other for it. */
const INLINE_METAINFO_BYTES = 24 * 1024;
const MAX_FINISHED_JOBS = 50;

/** Puts files and folders of this disk into spheres: looks, hashes, then announces; never copies. */
export class ShareService implements Disposable {
  readonly onJob: Emitter<ShareJobView>;
  readonly #deps: ShareServiceDeps;
  readonly #jobs = new Map<string, Job>();
  readonly #queue = new SerialQueue();

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

  /** One item per path. Resolves when all are announced; the first failure is thrown after the others were tried. */
  async share(
    input: { readonly sphereId: SphereId; readonly paths: readonly string[]; readonly plain: boolean },
    signal: AbortSignal,
  ): Promise<ItemId[]> {
    const sphere = this.#deps.list.getJoined(input.sphereId);
    // Fails now rather than after an hour of hashing.
    void sphere.currentEpoch;
    const jobs = input.paths.map((path) => ({ path, job: this.#add(sphere, path) }));
    const stop = (): void => {
      for (const { job } of jobs) job.abort.abort(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    try {
      const work = ({ path, job }: { path: string; job: Job }) => this.#run(sphere, path, input.plain, job);
      const results = await Promise.allSettled(jobs.map((one) => this.#queue.run(() => work(one))));
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  /** Signing out ends what is under way: there is no account left to share as. */
  [Symbol.dispose](): void {
    for (const { abort } of this.#jobs.values()) abort.abort(new AppError('cancelled', 'signed out'));
  }

  async #run(sphere: Sphere, path: string, plain: boolean, job: Job): Promise<ItemId> {
    try {
      const itemId = await this.#shareOne(sphere, path, plain, job);
      this.#show(job, { phase: 'done', itemId, bytesDone: job.view.bytesTotal, bytesPerSecond: 0 });
      return itemId;
    } catch (error) {
      const cancelled = job.abort.signal.aborted;
      const code = cancelled ? ('cancelled' as const) : errorCode(error);
      if (!cancelled) this.#deps.log.warn('share failed', { error });
      const message = error instanceof Error ? error.message : 'unknown';
      this.#show(job, { phase: cancelled ? 'cancelled' : 'failed', error: { code, message }, bytesPerSecond: 0 });
      throw cancelled ? new AppError('cancelled', 'the share was cancelled', {}, error) : error;
    }
  }

  async #shareOne(sphere: Sphere, path: string, plain: boolean, job: Job): Promise<ItemId> {
    const { signal } = job.abort;
    signal.throwIfAborted();
    const looked = await enumerateTree(path, signal);
    this.#show(job, { name: looked.name, bytesTotal: looked.totalBytes, leftOut: leftOutView(looked) });
    if (looked.files.length === 0) throw new AppError('bad-input', 'there is no file in it to share');
    await using link = await this.#link(sphere, path, looked, signal);
    // A hard link changes the file's ctime: what counts is what it is from now on.
    const tree = looked.root === 'file' ? await enumerateTree(path, signal) : looked;
    const prepared = await this.#prepare(tree, plain, job);
    signal.throwIfAborted();
    this.#show(job, { phase: 'sending', bytesDone: tree.totalBytes });
    const itemId = this.#announce(sphere, prepared, resolve(path));
    link.keep();
    await this.#deps.activate(itemId, signal);
    return itemId;
  }

  async #prepare(tree: EnumeratedTree, plain: boolean, job: Job): Promise<PreparedItem> {
    const { media, feed, random } = this.#deps;
    const { signal } = job.abort;
    const description = await describeItem(tree, media, signal);
    this.#show(job, { phase: 'preparing' });
    const onProgress = (bytesDone: number): void => this.#progress(job, bytesDone);
    const input = { tree, description, plain };
    return feed.ask((swarm) => prepareItem(input, { swarm, random, onProgress }, signal), signal);
  }

  /** From here on the item exists: event, key, layout and outgoing message are kept together. */
  #announce(sphere: Sphere, item: PreparedItem, path: string): ItemId {
    const { storage, list, clock, random } = this.#deps;
    // Hashing takes its time: the membership may have ended meanwhile.
    list.getJoined(sphere.id);
    // A plain item has the same torrent each time it is shared.
    if (storage.items.byInfoHash(item.infoHash).length > 0) throw new AppError('conflict', 'this was shared already');
    const epoch = item.mediaKey === null ? null : sphere.currentEpoch;
    const { attachments, kept } = attachmentsOf(item, epoch, random);
    const body = bodyOf(item, epoch);
    const line = itemLine({ kind: item.description.media.kind, name: item.tree.name, bytes: item.tree.totalBytes });
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
      });
      return itemId;
    });
  }

  #link(sphere: Sphere, path: string, tree: EnumeratedTree, signal: AbortSignal): Promise<ShareLink> {
    const { log, platform } = this.#deps;
    const place = { folder: sphere.row.folder, name: tree.name, target: resolve(path), kind: tree.root };
    return ShareLink.place({ ...place, ...(platform === undefined ? {} : { platform }) }, { log }, signal);
  }

  #add(sphere: Sphere, path: string): Job {
    const { clock, random } = this.#deps;
    const view: ShareJobView = {
      id: toHex(random(8)),
      sphereId: sphere.id,
      name: path.split(/[/\\]/).findLast((part) => part !== '') ?? path,
      phase: 'looking',
      bytesDone: 0,
      bytesTotal: 0,
      bytesPerSecond: 0,
      leftOut: [],
      itemId: null,
      error: null,
    };
    const job = { view, abort: new AbortController(), startedAtMs: clock.monotonic() };
    this.#jobs.set(view.id, job);
    this.#forgetOld();
    this.onJob.emit(view);
    return job;
  }

  #progress(job: Job, bytesDone: number): void {
    const seconds = Math.max(0.001, (this.#deps.clock.monotonic() - job.startedAtMs) / 1000);
    this.#show(job, { bytesDone, bytesPerSecond: Math.round(bytesDone / seconds) });
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

/** Clutter of file managers is nothing a person misses. */
function leftOutView({ leftOut }: EnumeratedTree): ShareJobView['leftOut'] {
  return leftOut.flatMap(({ reason, count, names }) =>
    reason === 'clutter' ? [] : [{ reason, count, names: [...names] }],
  );
}

function bodyOf(item: PreparedItem, epoch: HeldEpoch | null) {
  const { description, layout, manifest, metainfo, tree } = item;
  return {
    name: itemName(tree.name),
    infoHash: item.infoHash,
    bytes: tree.totalBytes,
    fileCount: tree.files.length,
    pieceLength: layout.pieceLength,
    metainfoBytes: metainfo.length,
    metainfoSha256: sha256Hex(metainfo),
    manifest: { offset: layout.manifest.offset, length: manifest.length, sha256: sha256Hex(manifest) },
    plain: item.mediaKey === null,
    keyCheck: item.mediaKey === null ? null : keyCheck(item.mediaKey, item.infoHash),
    epoch: epoch?.eventId ?? null,
    media: description.media,
    thumbhash: description.thumbhash,
    previewSha256: description.preview === null ? null : sha256Hex(description.preview.image),
    replaces: null,
  };
}

/** What travels beside the event, and what is only kept because it is too long for that. */
function attachmentsOf(
  item: PreparedItem,
  epoch: HeldEpoch | null,
  random: RandomBytes,
): { attachments: Attachment[]; kept: Attachment[] } {
  const { metainfo, manifest, description, mediaKey, infoHash } = item;
  const attachments: Attachment[] = [];
  const kept: Attachment[] = [];
  if (mediaKey !== null && epoch !== null) {
    attachments.push(attachment('media-key', wrapMediaKey({ epoch: epoch.secrets, infoHash, random }, mediaKey)));
  }
  (metainfo.length <= INLINE_METAINFO_BYTES ? attachments : kept).push(attachment('metainfo', metainfo));
  (manifest.length <= INLINE_MANIFEST_BYTES ? attachments : kept).push(attachment('manifest', manifest));
  if (description.preview !== null) attachments.push(attachment('preview', description.preview.image));
  return { attachments, kept };
}
