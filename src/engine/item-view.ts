import type { DeviceKey, ItemId } from '../base/id.ts';
import type { ItemView } from '../contract/views.ts';
import { kindOfType } from '../player/media-type.ts';
import { deletionOf, mayPutBack } from '../spheres/deletion.ts';
import type { ItemService } from '../spheres/item-service.ts';
import type { ItemSource } from '../spheres/item-source.ts';
import type { ItemEvent } from '../spheres/protocol/event.ts';
import type { ManifestFile } from '../spheres/protocol/manifest.ts';
import type { Sphere } from '../spheres/sphere.ts';
import { versionBefore } from '../spheres/versions.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import { typeOf } from './file-probe.ts';
import { countFilesHere, viewFiles } from './item-files.ts';
import type { PeopleNames } from './people-names.ts';

/** Items whose lists of files are read at once. */
const TOGETHER = 200;

interface ItemViewDeps {
  readonly storage: Storage;
  readonly items: ItemService;
  readonly source: ItemSource;
  readonly names: Pick<PeopleNames, 'of'>;
  /** Who has which item, where it was read for all of them together. */
  readonly holders?: ReadonlyMap<ItemId, readonly DeviceKey[]>;
}

/** An item as people see it: what its event says, and how far this device is with it. */
export function viewItem(deps: ItemViewDeps, sphere: Sphere, row: ItemRow): ItemView | undefined {
  // What the log refuses is shown nowhere, whatever was known of it before.
  const { event, replacedBy } = sphere.state.items.get(row.itemId) ?? {};
  if (event === undefined || replacedBy !== null) return undefined;
  const undoUntilMs = deps.items.undoUntilMs(row);
  if (undoUntilMs === undefined) return undefined;
  const { body, header } = event;
  const beginning = deps.source.knownBeginning(event);
  const live = deps.items.live(row);
  const from = sphere.jidOf(header.person) ?? sphere.row.room;
  const mine = header.device === sphere.device;
  const [first] = beginning?.files ?? [];
  const kind = event.type === 'torrent' && first !== undefined ? publicKind(event, first) : body.media.kind;
  return {
    id: row.itemId,
    sphereId: sphere.id,
    name: body.name,
    type: kind === 'folder' ? 'inode/directory' : first === undefined ? body.media.type : typeOf(first),
    kind,
    bytes: body.bytes,
    bytesHave: Math.min(deps.items.checked(row.itemId) ?? row.bytesHave, body.bytes),
    bytesWanted: bytesWanted(body.bytes, row),
    priority: row.priority,
    limits: row.limits,
    state: row.state,
    error: deps.items.error(row.itemId),
    from,
    fromName: deps.names.of(from),
    mine,
    plain: body.plain,
    isPublic: event.type === 'torrent',
    foundBy: live?.foundBy ?? null,
    isOpened: deps.items.opened.has(row.itemId),
    atMs: body.origin?.wallMs ?? header.wallMs,
    copies: countCopies(deps, sphere, row, live?.seeds ?? 0),
    downBps: live?.downBps ?? 0,
    upBps: live?.upBps ?? 0,
    path: row.path,
    earlierPath: earlierPath(deps.storage, sphere, row),
    basedOn: viewBasis(deps.names, sphere, event),
    previewUrl: hasPreview(deps.storage, event) ? `/preview/${row.itemId}` : null,
    thumbhash: body.thumbhash,
    width: body.media.width,
    height: body.media.height,
    durationMs: body.media.durationMs,
    files: viewFiles(beginning, row, body.pieceLength),
    fileCount: body.fileCount,
    filesHere: countFilesHere(row, body.fileCount, body.pieceLength),
    undoUntilMs,
    ...viewDeletion(deps, sphere, event),
  };
}

/** What was here of versions with other bytes stays where it lies; the newest of them is shown. */
function earlierPath({ items }: Storage, { state }: Sphere, { itemId }: ItemRow): string | null {
  for (let id = versionBefore(state.items, itemId); id !== null; id = versionBefore(state.items, id)) {
    const path = items.get(id)?.path;
    if (path !== undefined && path !== null) return path;
  }
  return null;
}

function viewBasis(names: ItemViewDeps['names'], sphere: Sphere, { body }: ItemEvent): ItemView['basedOn'] {
  const basis = sphere.state.items.get(body.basedOn as string as ItemId)?.event;
  if (basis === undefined) return null;
  return { name: basis.body.name, fromName: names.of(sphere.jidOf(basis.header.person) ?? sphere.row.room) };
}

/** Only what announces a picture is looked for: of ten thousand items that have none that would take a while. */
export function hasPreview({ attachments }: Storage, { id, body }: ItemEvent): boolean {
  return body.previewSha256 !== null && attachments.has(id, 'preview');
}

/** All items of a sphere that are shown, the oldest first. */
export function viewItems({ storage, items, source, names }: ItemViewDeps, sphere: Sphere): ItemView[] {
  const deps = { storage, items, source, names, holders: storage.holders.bySphere(sphere.id) };
  const rows = storage.items.list(sphere.id);
  const views: ItemView[] = [];
  for (let from = 0; from < rows.length; from += TOGETHER) {
    const some = rows.slice(from, from + TOGETHER);
    source.readTogether(some.flatMap(({ itemId }) => sphere.state.items.get(itemId)?.event ?? []));
    views.push(...some.flatMap((row) => viewItem(deps, sphere, row) ?? []));
  }
  return views.sort((a, b) => a.atMs - b.atMs || (a.id < b.id ? -1 : 1));
}

function viewDeletion(
  { names }: Pick<ItemViewDeps, 'names'>,
  sphere: Sphere,
  event: ItemEvent,
): Pick<ItemView, 'deletedBy' | 'mayPutBack'> {
  const word = deletionOf(sphere, event);
  if (word === undefined) return { deletedBy: null, mayPutBack: true };
  const by = sphere.jidOf(word.header.person);
  return { deletedBy: by === undefined ? '' : names.of(by), mayPutBack: mayPutBack(sphere, event) };
}

/** Whoever shared an item has it; everybody else was seen with all of its pieces. Who has gone serves us no more. */
function countCopies(deps: ItemViewDeps, sphere: Sphere, row: ItemRow, seeds: number): number {
  const { devices } = sphere.state;
  const event = sphere.log.get(row.itemId as string as ItemEvent['id']);
  const sharer = event?.type === 'item' ? event.header.device : undefined;
  const seen = deps.holders === undefined ? deps.items.holders(row.itemId) : (deps.holders.get(row.itemId) ?? []);
  const holders = new Set([...seen, ...(sharer === undefined ? [] : [sharer])]);
  const others = [...holders].filter((device) => device !== sphere.device && devices.has(device));
  return Math.max(others.length, seeds);
}

function bytesWanted(all: number, { wanted, chosen, layout }: ItemRow): number {
  if (!wanted || chosen === null || layout === null) return all;
  const files = layout.filter((part) => part.kind === 'file');
  return chosen.reduce((sum, index) => sum + (files[index]?.length ?? 0), 0);
}

function publicKind({ body }: ItemEvent, first: ManifestFile): ItemView['kind'] {
  return body.media.kind === 'folder' ? 'folder' : kindOfType(typeOf(first));
}
