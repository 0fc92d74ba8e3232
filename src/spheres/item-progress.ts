import type { DeviceKey, InfoHash, ItemId } from '../base/id.ts';
import type { SwarmEvent, TorrentState } from '../contract/swarm.ts';
import type { ItemState } from '../contract/views.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import type { ItemBook } from './item-book.ts';
import { isReadInPlace } from './item-book.ts';
import type { ItemSource } from './item-source.ts';
import type { ManyFiles } from '../torrent/file-thread.ts';
import { withIdentities } from '../torrent/torrent-spec.ts';
import type { SwarmFeed } from './swarm-feed.ts';
import { verifyItem } from './verify-item.ts';

interface ItemProgressDeps {
  readonly storage: Storage;
  readonly book: ItemBook;
  readonly feed: SwarmFeed;
  readonly source: ItemSource;
  /** For folders of many files; each is looked at alone when left out. */
  readonly files?: ManyFiles;
  readonly spawn: (name: string, task: (signal: AbortSignal) => Promise<void>) => void;
}

/** What people see of a torrent beside its state. */
type Movement = Pick<TorrentState, 'downBps' | 'upBps' | 'seeds' | 'foundBy'>;

const QUIET: Movement = { downBps: 0, upBps: 0, seeds: 0 };

/** Writes down what the swarm tells of items, and looks at each one that is whole before it is called complete. */
export class ItemProgress implements Disposable {
  readonly #deps: ItemProgressDeps;
  readonly #live = new Map<InfoHash, TorrentState>();
  /** What devices said that they have, in bytes. */
  readonly #heard = new Map<InfoHash, Map<DeviceKey, number>>();
  readonly #verifying = new Set<ItemId>();
  readonly #stop: () => void;

  constructor(deps: ItemProgressDeps) {
    this.#deps = deps;
    this.#stop = deps.feed.onEvent.on((event) => this.#take(event));
  }

  /** What the swarm last said of it. */
  live(row: ItemRow): TorrentState | undefined {
    return this.#live.get(row.infoHash);
  }

  /** What devices of others said last that they have of it, in bytes. */
  heard(infoHash: InfoHash): ReadonlyMap<DeviceKey, number> {
    return this.#heard.get(infoHash) ?? new Map();
  }

  /** The swarm outlives the account and would tell of items whose database is closed. */
  [Symbol.dispose](): void {
    this.#stop();
  }

  #take(event: SwarmEvent): void {
    if (event.kind === 'have') this.#have(event);
    if (event.kind === 'state') this.#state(event.torrent);
    if (event.kind === 'peers') this.#holders(event.peers);
  }

  #have(have: Extract<SwarmEvent, { kind: 'have' }>): void {
    const { book } = this.#deps;
    for (const row of this.#placed(have.infoHash)) {
      const bytesHave = Math.min(have.bytesHave, book.bytes(row));
      const progress = { bitfield: have.bitfield, bytesHave };
      // Written only when it changes: that of a large folder is long.
      if (have.identities === null) book.advance(row.itemId, progress);
      else book.update(row.itemId, { ...progress, layout: withIdentities(row.layout ?? [], have.identities) });
    }
    const live = this.#live.get(have.infoHash);
    // It may have been called complete before its last pieces were told.
    if (live?.state === 'complete') this.#state(live);
  }

  #state(torrent: TorrentState): void {
    const isNews = !looksSame(this.#live.get(torrent.infoHash) ?? QUIET, torrent);
    this.#live.set(torrent.infoHash, torrent);
    for (const row of this.#placed(torrent.infoHash)) {
      const state = this.#nextState(row, torrent);
      this.#noteDisk(row, state);
      if (state !== row.state || torrent.error !== null) this.#deps.book.update(row.itemId, { state }, torrent.error);
      else if (isNews) this.#deps.book.onItem.emit(row.itemId);
      if (state === 'verifying') this.#verify(row.itemId);
    }
  }

  #placed(infoHash: InfoHash): ItemRow[] {
    return this.#deps.storage.items.byInfoHash(infoHash).filter(({ layout }) => layout !== null);
  }

  #nextState(row: ItemRow, torrent: TorrentState): ItemState {
    const { book } = this.#deps;
    switch (torrent.state) {
      case 'starting':
        return row.state;
      case 'complete':
        if (book.isDone(row) || !book.isWhole(row)) return row.state;
        return book.isMine(row) && isReadInPlace(row) ? 'sharing' : 'verifying';
      case 'partial':
        return row.state === 'partial' ? 'partial' : 'verifying';
      case 'paused':
        return book.isDone(row) || row.state === 'partial' ? row.state : 'paused';
      case 'downloading':
        // What a reader looks at beside them changes nothing of the chosen files, which are on the disk for good.
        return row.state === 'partial' && book.hasChosen(row) ? 'partial' : 'downloading';
      case 'changed':
      case 'missing':
      case 'disk-full':
      case 'failed':
        return torrent.state;
    }
  }

  /** What becomes of files that were on the disk for good while others were fetched too. */
  #noteDisk(row: ItemRow, state: ItemState): void {
    const { book } = this.#deps;
    const isRefused = (state === 'disk-full' || state === 'failed') && state !== row.state && book.hasChosen(row);
    if (isRefused) book.disk.doubt(row);
    if (row.state === 'partial' && state === 'downloading') book.disk.forget(row.itemId);
  }

  #verify(itemId: ItemId): void {
    if (this.#verifying.has(itemId)) return;
    this.#verifying.add(itemId);
    this.#deps.spawn('verify item', async (signal) => {
      const { book, source, feed, files } = this.#deps;
      const row = book.row(itemId);
      try {
        const event = book.event(row);
        const manifest = event === undefined ? undefined : source.knownManifest(event);
        if (manifest !== undefined) await verifyItem(manifest, row, files, signal);
        if (row.chosen === null) book.disk.forget(itemId);
        if (row.chosen === null) book.update(itemId, { state: 'complete', bytesHave: book.bytes(row) });
        else if (book.row(itemId).state === 'verifying') book.update(itemId, { state: 'partial' });
      } catch (error) {
        if (signal.aborted) return;
        book.fail(itemId, error);
        await feed.remove(row.infoHash);
      } finally {
        this.#verifying.delete(itemId);
      }
    });
  }

  /** A member seen with a full copy is remembered, so that we know later whether ours is the only one. */
  #holders(peers: Extract<SwarmEvent, { kind: 'peers' }>['peers']): void {
    const { storage, book } = this.#deps;
    for (const peer of peers) {
      const heard = this.#heard.get(peer.infoHash) ?? new Map<DeviceKey, number>();
      this.#heard.set(peer.infoHash, heard.set(peer.device, peer.bytesHave));
      for (const row of storage.items.byInfoHash(peer.infoHash)) {
        const isWhole = peer.bytesHave >= book.bytes(row);
        if (isWhole && storage.holders.add(row.itemId, peer.device)) book.onItem.emit(row.itemId);
      }
    }
  }
}

/** After a start the swarm tells of everything that it took: showing a thousand items anew would take seconds. */
function looksSame(a: Movement, b: Movement): boolean {
  const isAsFound = JSON.stringify(a.foundBy) === JSON.stringify(b.foundBy);
  return a.downBps === b.downBps && a.upBps === b.upBps && a.seeds === b.seeds && isAsFound;
}
