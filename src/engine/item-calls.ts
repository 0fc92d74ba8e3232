import { fromBase64 } from '../base/bytes.ts';
import { AppError } from '../base/errors.ts';
import type { ItemId, SphereId } from '../base/id.ts';
import type { ItemFileView, ItemView } from '../contract/views.ts';
import { playability } from '../player/playability.ts';
import type { ItemEvent } from '../spheres/protocol/event.ts';
import type { ManifestFile } from '../spheres/protocol/manifest.ts';
import type { AppCallsDeps } from './app-calls-deps.ts';
import type { AppServices } from './app-services.ts';
import { editedItemCalls } from './edited-item-calls.ts';
import { probeOf } from './file-probe.ts';
import { viewFilesFrom } from './item-files.ts';
import { keptItemCalls } from './kept-item-calls.ts';
import { openedItemCalls } from './opened-item-calls.ts';
import { openElsewhere, requireFile } from './open-elsewhere.ts';
import { openOnDesktop } from './open-on-desktop.ts';
import { keepPicture, PastedPictures } from './pasted-pictures.ts';
import { playItem } from './play-item.ts';
import { refuseProfile } from './refuse-profile.ts';
import { requireInSphere } from './require-in-sphere.ts';

const DONE = { ok: true as const };

export function itemCalls(deps: AppCallsDeps): AppServices['items'] {
  const { holder, views } = deps;
  const pictures = new PastedPictures();
  const view = (itemId: ItemId): ItemView => {
    const item = views.item(itemId);
    if (item === undefined) throw new AppError('not-found', 'no such item', { itemId });
    return item;
  };
  return {
    list({ sphereId, removed }) {
      const all = views.items(holder.session.list.get(sphereId));
      return Promise.resolve({ items: all.filter(({ undoUntilMs }) => (undoUntilMs !== null) === removed) });
    },
    async share({ sphereId, paths, plain, wait }, signal) {
      const { session } = holder;
      await refuseProfile(deps.profile, paths);
      const ids = await session.shares.share({ sphereId, paths, plain }, signal);
      if (wait) await session.flushed(ids, signal);
      const leftOut = ids.flatMap((itemId) => session.shares.leftOut(itemId).map((left) => ({ itemId, ...left })));
      return { items: ids.map(view), leftOut };
    },
    paste: (part, signal) => paste(deps, pictures, part, signal),
    cancelShare({ jobId }) {
      holder.session.shares.cancel(jobId);
      return Promise.resolve(DONE);
    },
    async get({ sphereId, itemId, files, mayStrangersSee, wait }, signal) {
      const { items } = holder.session;
      const { fileCount } = requireInSphere(deps, sphereId, itemId).body;
      if (files?.some((file) => file >= fileCount) === true) throw new AppError('not-found', 'no such file');
      items.get(itemId, files ?? null, mayStrangersSee);
      if (wait) await items.wait(itemId, signal);
      return { item: view(itemId) };
    },
    files: (part) => Promise.resolve({ files: filesOf(deps, part) }),
    async playback({ sphereId, itemId, file: index }, signal) {
      const { file } = await offer(deps, sphereId, itemId, index, signal);
      const positionMs = holder.session.storage.playback.get(itemId, index);
      return { url: file.url, type: file.type, playable: file.playable, positionMs };
    },
    keepPosition({ sphereId, itemId, file, positionMs }) {
      const { playback } = holder.session.storage;
      requireInSphere(deps, sphereId, itemId);
      if (positionMs === 0) playback.remove(itemId, file);
      else playback.put({ itemId, file, positionMs });
      return Promise.resolve(DONE);
    },
    async openElsewhere({ sphereId, itemId, file: index }, signal) {
      const { file } = await offer(deps, sphereId, itemId, index, signal);
      await openElsewhere(
        { ...file, key: `${itemId}-${index}`, address: new URL(file.url, deps.origin()).href },
        { playlistsFolder: deps.profile.playlistsFolder, open: openOnDesktop },
      );
      return DONE;
    },
    ...keptItemCalls(deps, view),
    ...editedItemCalls(deps, view),
    ...openedItemCalls(deps, view),
  };
}

function filesOf(
  deps: AppCallsDeps,
  { sphereId, itemId, from, most }: Parameters<AppServices['items']['files']>[0],
): ItemFileView[] {
  const { items, source } = deps.holder.session;
  const event = requireInSphere(deps, sphereId, itemId);
  const manifest = source.knownManifest(event);
  if (manifest === undefined) return [];
  return viewFilesFrom(manifest, items.row(itemId), { pieceLength: event.body.pieceLength, from, most });
}

/** Lies in the folder of the sphere, for it has no other place. */
async function paste(
  { holder, views }: AppCallsDeps,
  pictures: PastedPictures,
  { sphereId, name, part, ...rest }: Parameters<AppServices['items']['paste']>[0],
  signal: AbortSignal,
): Promise<{ item: ItemView | null }> {
  const { list, shares } = holder.session;
  const sphere = list.getJoined(sphereId);
  if (sphere.role === 'viewer') throw new AppError('not-allowed', 'who only looks shares nothing');
  const bytes = fromBase64(part);
  if (bytes === undefined) throw new AppError('bad-input', 'not base64');
  const picture = pictures.take({ ...rest, bytes });
  if (picture === undefined) return { item: null };
  const file = await keepPicture(sphere.row.folder, name, picture);
  const [itemId] = await shares.share({ sphereId, paths: [file], plain: false }, signal);
  return { item: (itemId === undefined ? undefined : views.item(itemId)) ?? null };
}

interface Offered {
  readonly url: string;
  readonly path: string;
  readonly isWhole: boolean;
  readonly type: string;
  readonly playable: 'here' | 'elsewhere' | 'no';
}

/** Starts the download when needed and gives one file its address on the engine's port. */
async function offer(
  deps: AppCallsDeps,
  sphereId: SphereId,
  itemId: ItemId,
  index: number,
  signal: AbortSignal,
): Promise<{ file: Offered }> {
  const { holder, media, feed, log } = deps;
  const { items, waiter } = holder.session;
  const event = requireInSphere(deps, sphereId, itemId);
  // This file alone, with those that were wanted before: who wanted all of them still does.
  items.get(itemId, [index]);
  await items.placed(itemId, signal);
  const file = fileOf(deps, event, index);
  const row = items.row(itemId);
  const item = playItem({ items, feed, waiter, log }, { event, row, file, index });
  const name = file.path.at(-1) ?? event.body.name;
  const isWhole = ['complete', 'sharing'].includes(row.state);
  // A player would only say that it does not understand what it got.
  if (isWhole) await requireFile(item.path);
  const probe = probeOf(file);
  const url = media.offer(`${itemId}/${index}`, name, item);
  return { file: { url, path: item.path, isWhole, type: file.type, playable: playability(probe) } };
}

function fileOf({ holder }: AppCallsDeps, event: ItemEvent, index: number): ManifestFile {
  const file = holder.session.source.knownManifest(event)?.files[index];
  if (file === undefined) throw new AppError('not-found', 'the item has no such file', { index });
  return file;
}
