import { open } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import type { ItemId } from '../base/id.ts';
import type { Segment } from '../contract/swarm.ts';
import type { Storage } from '../storage/storage.ts';
import { fileError } from '../torrent/file-error.ts';
import { MAX_METAINFO_BYTES } from '../torrent/metainfo.ts';
import { placeItem } from '../torrent/place-files.ts';
import type { PublicMetainfo } from '../torrent/public-metainfo.ts';
import { parsePublicMetainfo } from '../torrent/public-metainfo.ts';
import { INLINE_METAINFO_BYTES } from './announcement.ts';
import { itemLine, itemName } from './human-line.ts';
import { attachment } from './protocol/envelope.ts';
import type { EventInput } from './protocol/event-body.ts';
import type { KnownEvent } from './protocol/event.ts';
import { sha256Hex } from './protocol/keys.ts';
import type { Manifest } from './protocol/manifest.ts';
import type { ReceivePlace } from './receive-place.ts';
import type { Sphere } from './sphere.ts';
import type { SphereList } from './sphere-list.ts';

/** Whether a file of this name is passed on as a torrent from elsewhere instead of being shared itself. */
export function isTorrentFile(path: string): boolean {
  return path.toLowerCase().endsWith('.torrent');
}

/**
 * Lists a torrent from elsewhere in a sphere, as it is; nothing of it is fetched or served by that. Fails with
 * `torrent-version-2`, `invalid-torrent`, `too-large` or `conflict`.
 */
export async function shareTorrent(
  deps: { readonly storage: Storage; readonly list: SphereList },
  sphere: Sphere,
  path: string,
): Promise<ItemId> {
  const bytes = await readTorrentFile(path);
  const metainfo = parsePublicMetainfo(bytes);
  const known = deps.storage.items.byInfoHash(metainfo.infoHash).filter(({ sphereId }) => sphereId === sphere.id);
  if (known.some(({ removedAtMs }) => removedAtMs === 0)) throw new AppError('conflict', 'this was shared already');
  const body = bodyOf(metainfo, bytes);
  const beside = [attachment('metainfo', bytes)];
  const isSmall = bytes.length <= INLINE_METAINFO_BYTES;
  const event = deps.list.publish(sphere, 'torrent', body, {
    audience: { kind: 'members' },
    attachments: isSmall ? beside : [],
    kept: isSmall ? [] : beside,
    line: itemLine({ ...body, kind: body.root === 'folder' ? 'folder' : 'other' }),
  });
  if (sphere.log.verdict(event.id)?.kind === 'refused') throw new AppError('not-allowed', 'it would not count');
  return event.id as string as ItemId;
}

/** The files of a torrent from elsewhere, of which nothing but names and sizes is known. */
export function publicManifest({ files }: PublicMetainfo): Manifest {
  return {
    files: files.map(({ path, length }) => ({
      path: [...path],
      type: 'application/octet-stream',
      bytes: length,
      mtimeMs: 0,
      headSha256: '',
      tailSha256: '',
      probe: null,
    })),
  };
}

/** Reads what came with an event; fails with `invalid-torrent` when it is not what the event says. */
export function publicMetainfo({ body }: KnownEvent<'torrent'>, bytes: Uint8Array): PublicMetainfo {
  const metainfo = parsePublicMetainfo(bytes);
  const isSame =
    metainfo.infoHash === body.infoHash &&
    metainfo.pieceLength === body.pieceLength &&
    metainfo.files.length === body.fileCount &&
    sizeOf(metainfo) === body.bytes;
  if (!isSame) throw new AppError('invalid-torrent', 'the torrent is not what was announced');
  return metainfo;
}

/** Reserves its place in the sphere's folder under safe names; what is there already is never touched. */
export async function publicPlace(
  folder: string,
  metainfo: PublicMetainfo,
  signal: AbortSignal,
): Promise<ReceivePlace> {
  const { name, root, files } = metainfo;
  const placed = await placeItem({ folder, root, name, files: files.map(({ path }) => path) }, signal);
  const layout = files.map(({ offset, length }, index): Segment => {
    const path = placed.files[index];
    if (path === undefined) throw new AppError('internal', 'a file without a place');
    return { kind: 'file', offset, length, path, root: placed.root, identity: null };
  });
  return { layout, path: placed.path };
}

function bodyOf(metainfo: PublicMetainfo, bytes: Uint8Array): EventInput<'torrent'> {
  const { infoHash, pieceLength, files, name, root } = metainfo;
  return {
    name: itemName(name),
    infoHash,
    bytes: sizeOf(metainfo),
    fileCount: files.length,
    pieceLength,
    metainfoBytes: bytes.length,
    metainfoSha256: sha256Hex(bytes),
    root,
  };
}

function sizeOf({ files }: PublicMetainfo): number {
  return files.reduce((sum, { length }) => sum + length, 0);
}

async function readTorrentFile(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    if (size > MAX_METAINFO_BYTES) throw new AppError('too-large', 'the .torrent is too large', { size });
    return new Uint8Array(await file.readFile());
  } catch (error) {
    throw fileError(error, 'the .torrent cannot be read');
  }
}
