import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { open } from 'node:fs/promises';
import { AppError, errorCode } from '../base/errors.ts';
import type { EventId, InfoHash, ItemId } from '../base/id.ts';
import { fromHex } from '../base/bytes.ts';
import { FILES_SHOWN } from '../contract/views.ts';
import type { Storage } from '../storage/storage.ts';
import { fileError } from '../torrent/file-error.ts';
import type { Metainfo } from '../torrent/metainfo.ts';
import { parseMetainfo } from '../torrent/metainfo.ts';
import { INLINE_METAINFO_BYTES } from './announcement.ts';
import type { PartsFolder } from './chosen-files.ts';
import type { HaveWaiter } from './have-waiter.ts';
import type { ItemEvent } from './protocol/event.ts';
import { isItemEvent } from './protocol/event.ts';
import { sha256Hex } from './protocol/keys.ts';
import { pieceLengthFor } from './protocol/layout.ts';
import type { Manifest } from './protocol/manifest.ts';
import { decodeBeginning, decodeManifest, MAX_MANIFEST_BYTES } from './protocol/manifest.ts';
import { publicManifest, publicMetainfo } from './public-torrent.ts';
import type { Sphere } from './sphere.ts';
import type { SwarmFeed } from './swarm-feed.ts';

interface ItemSourceDeps {
  readonly storage: Storage;
  readonly feed: SwarmFeed;
  readonly waiter: HaveWaiter;
  /** A folder of our own for lists of files that are on their way. */
  readonly scratchFolder: string;
}

const MANIFEST_READER = 'manifest';
/**
 * Of the lists of files that are kept as they were read, as they lie on the disk; read, they are several times larger. An
 * item on its way is shown anew four times a second, and all items each time that a page is opened.
 */
const MOST_KEPT_BYTES = 16 * 1024 * 1024;

/** No writer made larger ones for an item that could do with these; each connection may keep some in memory. */
const MOST_PIECE_BYTES = 2 ** 24;

/** About what the beginning of a long list takes. */
const BEGINNING_BYTES = 128 * 1024;
/** That of a file, or of a few. */
const SHORT_BYTES = 4096;
/** A longer list is never read for each look at its item, however few files its author announced. */
const LONG_BYTES = 1024 * 1024;

interface KeptManifest {
  /** undefined = it breaks the rules. */
  readonly manifest: Manifest | undefined;
  readonly bytes: number;
}

/** Finds what belongs to an item's event: its key, its metainfo and its list of files. */
export class ItemSource {
  readonly #deps: ItemSourceDeps;
  /** By event; the beginnings of long lists too. */
  readonly #manifests = new Map<string, KeptManifest>();
  /** Read for somebody who looks at them, and given up when memory is needed. */
  readonly #longManifests = new Map<EventId, WeakRef<Manifest>>();
  #bytesKept = 0;

  constructor(deps: ItemSourceDeps) {
    this.#deps = deps;
  }

  /** For bytes of files that are not wanted. */
  parts(infoHash: InfoHash): PartsFolder {
    const root = this.#deps.scratchFolder;
    return { root, path: join(root, `${infoHash}.files`) };
  }

  event(sphere: Sphere, itemId: ItemId): ItemEvent {
    const event = sphere.log.get(itemId as string as EventId);
    if (!isItemEvent(event) || sphere.log.verdict(event.id)?.kind !== 'accepted') {
      throw new AppError('not-found', 'no such item', { itemId });
    }
    return event;
  }

  /** null for a plain item. `cannot-encrypt` as long as its key, or that of its epoch, has not come. */
  mediaKey(sphere: Sphere, event: ItemEvent): Uint8Array | null {
    return openMediaKey(sphere, event);
  }

  async metainfo(sphere: Sphere, event: ItemEvent, signal: AbortSignal): Promise<Uint8Array> {
    const { storage, feed } = this.#deps;
    const kept = storage.attachments.get(event.id, 'metainfo');
    if (kept !== undefined) return requireShape(event, kept);
    const { infoHash, metainfoBytes, metainfoSha256 } = event.body;
    const sha256 = fromHex(metainfoSha256) ?? new Uint8Array();
    const request = { sphereId: sphere.id, infoHash, sha256, maxBytes: metainfoBytes };
    const metainfo = await fetched(feed.ask((calls) => calls.fetchMetainfo(request, { signal }), signal));
    if (sha256Hex(metainfo) !== metainfoSha256) throw new AppError('forged', 'another metainfo than announced');
    requireShape(event, metainfo);
    storage.attachments.put({ eventId: event.id, kind: 'metainfo', bytes: metainfo });
    await this.offer(sphere, event);
    return metainfo;
  }

  /** After a start: of all torrents from elsewhere that the sphere lists. */
  async offerAll(sphere: Sphere): Promise<void> {
    for (const { event } of sphere.state.items.values()) await this.offer(sphere, event);
  }

  /** What is too long to travel beside the event of a torrent from elsewhere is given to members who ask for it. */
  async offer(sphere: Sphere, event: ItemEvent): Promise<void> {
    if (event.type !== 'torrent' || event.body.metainfoBytes <= INLINE_METAINFO_BYTES) return;
    const metainfo = this.#deps.storage.attachments.get(event.id, 'metainfo');
    if (metainfo === undefined) return;
    await this.#deps.feed.offerMetainfo({ sphereId: sphere.id, infoHash: event.body.infoHash, metainfo });
  }

  /** The list of files as it was shared, as far as it is here. */
  manifestBytes(itemId: ItemId): Uint8Array | undefined {
    return this.#deps.storage.attachments.get(itemId as string as EventId, 'manifest');
  }

  /** The list of files as far as it is here; undefined while it has to be fetched, and when it breaks the rules. */
  knownManifest(event: ItemEvent): Manifest | undefined {
    const kept = this.#manifests.get(event.id);
    if (kept !== undefined) return kept.manifest;
    const long = this.#longManifests.get(event.id)?.deref();
    if (long !== undefined) return long;
    const read = this.#readManifest(event);
    if (read === undefined) return undefined;
    if (isLong(event) && read.manifest !== undefined) this.#longManifests.set(event.id, new WeakRef(read.manifest));
    else this.#keep(event.id, read);
    return read.manifest;
  }

  /** Reads the short lists of several items at once: of ten thousand items to find each takes longer than to read it. */
  readTogether(events: readonly ItemEvent[]): void {
    const isShort = ({ type, body }: ItemEvent): boolean => type === 'item' && body.manifest.length <= SHORT_BYTES;
    const unread = events.filter((event) => isShort(event) && !isLong(event) && !this.#manifests.has(event.id));
    if (unread.length === 0) return;
    const ids = unread.map(({ id }) => id);
    for (const { eventId, bytes } of this.#deps.storage.attachments.some(ids, 'manifest')) {
      const manifest = attempt(() => decodeManifest(bytes));
      this.#keep(eventId, { manifest, bytes: manifest === undefined ? 0 : bytes.length });
    }
  }

  /**
   * At least its first files, with which every item is shown. The rest of a long list is read when somebody looks at it:
   * it takes seconds, and ten times the memory of the file.
   */
  knownBeginning(event: ItemEvent): Manifest | undefined {
    if (!isLong(event)) return this.knownManifest(event);
    const key = `${event.id} beginning`;
    const kept = this.#manifests.get(key);
    if (kept !== undefined) return kept.manifest;
    const bytes = this.#deps.storage.attachments.get(event.id, 'manifest');
    if (bytes === undefined) return undefined;
    const most = Math.min(event.body.fileCount, FILES_SHOWN);
    const manifest = attempt(() => decodeBeginning(bytes, most));
    this.#keep(key, { manifest, bytes: BEGINNING_BYTES });
    return manifest;
  }

  #keep(id: string, read: KeptManifest): void {
    this.#manifests.set(id, read);
    this.#bytesKept += read.bytes;
    for (const [oldest, { bytes }] of this.#manifests) {
      if (this.#bytesKept <= MOST_KEPT_BYTES || oldest === id) return;
      this.#manifests.delete(oldest);
      this.#bytesKept -= bytes;
    }
  }

  #readManifest(event: ItemEvent): KeptManifest | undefined {
    const kind = event.type === 'torrent' ? 'metainfo' : 'manifest';
    const bytes = this.#deps.storage.attachments.get(event.id, kind);
    if (bytes === undefined) return undefined;
    const isPublic = event.type === 'torrent';
    const manifest = attempt(() => (isPublic ? publicManifest(publicMetainfo(event, bytes)) : decodeManifest(bytes)));
    return { manifest, bytes: manifest === undefined ? 0 : bytes.length };
  }

  /** A long list of files stands at the end of the item's own bytes: only the pieces that hold it are fetched. */
  async manifest(sphere: Sphere, event: ItemEvent, signal: AbortSignal): Promise<Manifest> {
    if (event.type === 'torrent')
      return publicManifest(publicMetainfo(event, await this.metainfo(sphere, event, signal)));
    const itemId = event.id as string as ItemId;
    const known = this.manifestBytes(itemId);
    if (known !== undefined) return decodeManifest(known);
    const { storage, feed } = this.#deps;
    const { manifest, infoHash, pieceLength } = event.body;
    if (manifest.offset === null) throw new AppError('not-found', 'the list of files did not come with the item');
    if (manifest.length > MAX_MANIFEST_BYTES) {
      throw new AppError('too-large', 'the list of files is too long', { bytes: manifest.length });
    }
    const from = Math.floor(manifest.offset / pieceLength) * pieceLength;
    const to = manifest.offset + manifest.length;
    const path = join(this.#deps.scratchFolder, `${infoHash}.part`);
    const metainfo = await this.metainfo(sphere, event, signal);
    try {
      await feed.add({
        sphereId: sphere.id,
        infoHash,
        metainfo,
        mediaKey: this.mediaKey(sphere, event),
        segments: [
          { kind: 'file', offset: from, length: to - from, path, root: this.#deps.scratchFolder, identity: null },
        ],
        bitfield: null,
        paused: false,
        background: false,
      });
      await feed.window(infoHash, MANIFEST_READER, manifest.offset, to);
      await this.#deps.waiter.waitFor({ infoHash, pieceLength }, manifest.offset, to, signal);
      const bytes = await readPart(path, manifest.offset - from, manifest.length);
      if (sha256Hex(bytes) !== manifest.sha256) throw new AppError('forged', 'another list of files than announced');
      storage.attachments.put({ eventId: event.id, kind: 'manifest', bytes });
      const read = decodeManifest(bytes);
      this.#longManifests.set(event.id, new WeakRef(read));
      return read;
    } finally {
      await feed.remove(infoHash);
      await rm(path, { force: true });
    }
  }
}

/** Torrents from elsewhere have no list but their metainfo, and fewer files. */
function isLong(event: ItemEvent): boolean {
  return event.type === 'item' && (event.body.fileCount > FILES_SHOWN || event.body.manifest.length > LONG_BYTES);
}

/** A list that breaks a rule was made so by its author: it cannot be fetched, which is no reason not to show all others. */
function attempt(read: () => Manifest): Manifest | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** null for a plain item. `cannot-encrypt` as long as its key, or that of its epoch, has not come. */
export function openMediaKey(sphere: Sphere, event: ItemEvent): Uint8Array | null {
  const { plain, epoch: epochId, keyCheck } = event.body;
  if (plain || epochId === null || keyCheck === null) return null;
  const mediaKey = sphere.mediaKeyCopies(event).open();
  if (mediaKey === undefined) throw new AppError('cannot-encrypt', 'the key of this item has not come yet');
  return mediaKey;
}

/** Places in the item are counted in the event's pieces: the torrent must have the same. */
function requireShape(event: ItemEvent, metainfo: Uint8Array): Uint8Array {
  const { pieceLength, length } = shapeOf(event, metainfo);
  if (event.type === 'item' && pieceLength > Math.max(MOST_PIECE_BYTES, pieceLengthFor(length))) {
    throw new AppError('invalid-torrent', 'larger pieces than an item of this length has', { pieceLength });
  }
  if (pieceLength === event.body.pieceLength) return metainfo;
  throw new AppError('invalid-torrent', 'other pieces than announced', { pieceLength });
}

/** What the metainfo of an item says about its pieces. Fails with `invalid-torrent`. */
export function shapeOf(event: ItemEvent, metainfo: Uint8Array): Metainfo {
  if (event.type === 'torrent') return publicMetainfo(event, metainfo);
  return parseMetainfo(metainfo, { infoHash: event.body.infoHash, sha256: null });
}

/** That nobody who is here has it now says nothing about later. */
async function fetched(answer: Promise<{ readonly metainfo: Uint8Array }>): Promise<Uint8Array> {
  try {
    return (await answer).metainfo;
  } catch (error) {
    if (errorCode(error) !== 'not-found') throw error;
    throw new AppError('disconnected', 'nobody who has the item can be reached', {}, error);
  }
}

async function readPart(path: string, position: number, length: number): Promise<Uint8Array> {
  try {
    await using file = await open(path, 'r');
    const buffer = new Uint8Array(length);
    const { bytesRead } = await file.read(buffer, 0, length, position);
    if (bytesRead < length) throw new AppError('file-changed', 'the list of files is cut off');
    return buffer;
  } catch (error) {
    throw fileError(error, 'the list of files cannot be read');
  }
}
