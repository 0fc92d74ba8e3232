import type { Probe } from '../contract/media.ts';
import type { ItemFileView, ItemView } from '../contract/views.ts';
import { kindOfType, typeOfName } from '../player/media-type.ts';
import { playability } from '../player/playability.ts';
import { deletionOf, mayPutBack } from '../spheres/deletion.ts';
import type { ItemService } from '../spheres/item-service.ts';
import type { ItemSource } from '../spheres/item-source.ts';
import { hasRange } from '../spheres/piece-map.ts';
import type { ItemEvent } from '../spheres/protocol/event.ts';
import type { Manifest, ManifestFile } from '../spheres/protocol/manifest.ts';
import type { Sphere } from '../spheres/sphere.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import { personName } from './person-name.ts';

interface ItemViewDeps {
  readonly storage: Storage;
  readonly items: ItemService;
  readonly source: ItemSource;
}

/** An item as people see it: what its event says, and how far this device is with it. */
export function viewItem(deps: ItemViewDeps, sphere: Sphere, row: ItemRow): ItemView | undefined {
  // What the log refuses is shown nowhere, whatever was known of it before.
  const { event, replacedBy } = sphere.state.items.get(row.itemId) ?? {};
  if (event === undefined || replacedBy !== null) return undefined;
  const undoUntilMs = deps.items.undoUntilMs(row);
  if (undoUntilMs === undefined) return undefined;
  const { body, header } = event;
  const manifest = deps.source.knownManifest(event);
  const live = deps.items.live(row);
  const from = sphere.jidOf(header.person) ?? sphere.row.room;
  const mine = header.device === sphere.device;
  const [first] = manifest?.files ?? [];
  const kind = event.type === 'torrent' && first !== undefined ? publicKind(event, first) : body.media.kind;
  return {
    id: row.itemId,
    sphereId: sphere.id,
    name: body.name,
    type: kind === 'folder' ? 'inode/directory' : first === undefined ? body.media.type : typeOf(first),
    kind,
    bytes: body.bytes,
    bytesHave: Math.min(deps.items.checked(row.itemId) ?? row.bytesHave, body.bytes),
    bytesWanted: bytesWanted(body.bytes, manifest, row),
    priority: row.priority,
    state: row.state,
    error: deps.items.error(row.itemId),
    from,
    fromName: personName(from),
    mine,
    plain: body.plain,
    isPublic: event.type === 'torrent',
    atMs: body.origin?.wallMs ?? header.wallMs,
    copies: countCopies(deps, sphere, row, live?.seeds ?? 0),
    downBps: live?.downBps ?? 0,
    upBps: live?.upBps ?? 0,
    path: row.path,
    previewUrl: deps.storage.attachments.has(event.id, 'preview') ? `/preview/${row.itemId}` : null,
    thumbhash: body.thumbhash,
    width: body.media.width,
    height: body.media.height,
    durationMs: body.media.durationMs,
    files: viewFiles(manifest, row, body.pieceLength),
    undoUntilMs,
    ...viewDeletion(sphere, event),
  };
}

function viewDeletion(sphere: Sphere, event: ItemEvent): Pick<ItemView, 'deletedBy' | 'mayPutBack'> {
  const word = deletionOf(sphere, event);
  if (word === undefined) return { deletedBy: null, mayPutBack: true };
  const by = sphere.jidOf(word.header.person);
  return { deletedBy: by === undefined ? '' : personName(by), mayPutBack: mayPutBack(sphere, event) };
}

/** Whoever shared an item has it; everybody else was seen with all of its pieces. Who has gone serves us no more. */
function countCopies(deps: ItemViewDeps, sphere: Sphere, row: ItemRow, seeds: number): number {
  const { devices } = sphere.state;
  const event = sphere.log.get(row.itemId as string as ItemEvent['id']);
  const sharer = event?.type === 'item' ? event.header.device : undefined;
  const holders = new Set([...deps.items.holders(row.itemId), ...(sharer === undefined ? [] : [sharer])]);
  const others = [...holders].filter((device) => device !== sphere.device && devices.has(device));
  return Math.max(others.length, seeds);
}

function bytesWanted(all: number, manifest: Manifest | undefined, { wanted, chosen }: ItemRow): number {
  if (!wanted || chosen === null || manifest === undefined) return all;
  return chosen.reduce((sum, index) => sum + (manifest.files[index]?.bytes ?? 0), 0);
}

/** What is drawn of a file that is whole. */
const PICTURED: readonly string[] = ['image', 'video'];

function viewFiles(manifest: Manifest | undefined, row: ItemRow, pieceLength: number): ItemFileView[] {
  const isWhole = row.state === 'complete' || row.state === 'sharing';
  const places = (row.layout ?? []).filter((part) => part.kind === 'file');
  const isHere = (index: number): boolean => {
    const place = places[index];
    const isChosen = row.chosen?.includes(index) === true && row.state !== 'verifying';
    if (place === undefined || !isChosen) return isWhole;
    return hasRange({ bitfield: row.bitfield, pieceLength }, place.offset, place.offset + place.length);
  };
  return (manifest?.files ?? []).map((file, index) => {
    const probe = probeOf(file);
    return {
      index,
      name: file.path.join('/'),
      type: probe.type,
      kind: probe.kind,
      bytes: file.bytes,
      playable: playability(probe),
      durationMs: probe.durationMs,
      isHere: isHere(index),
      isWanted: row.wanted && (row.chosen === null || row.chosen.includes(index)),
      previewUrl: isWhole && PICTURED.includes(probe.kind) ? `/preview/${row.itemId}-${index}` : null,
    };
  });
}

/** What the sharer found in the file. A claim like everything else about it: it only chooses how to show the file. */
export function probeOf(file: ManifestFile): Probe {
  const { probe } = file;
  const type = typeOf(file);
  return {
    kind: kindOfType(type),
    type,
    durationMs: probe?.durationMs ?? null,
    width: probe?.width ?? null,
    height: probe?.height ?? null,
    streams: (probe?.codecs ?? []).flatMap(readStream),
    indexRanges: (probe?.index ?? []).map(({ offset, length }) => ({ from: offset, to: offset + length })),
  };
}

/** Of a torrent from elsewhere nobody has looked into the files: their names must do. */
function typeOf(file: ManifestFile): string {
  return file.headSha256 === '' ? typeOfName(file.path.at(-1) ?? '') : file.type;
}

function publicKind({ body }: ItemEvent, first: ManifestFile): ItemView['kind'] {
  return body.media.kind === 'folder' ? 'folder' : kindOfType(typeOf(first));
}

function readStream(text: string): Probe['streams'] {
  const [kind, codec] = text.split(':', 2);
  if (codec === undefined) return [];
  return kind === 'video' || kind === 'audio' || kind === 'subtitle' ? [{ kind, codec }] : [{ kind: 'other', codec }];
}
