import type { Clock } from '../base/clock.ts';
import { Emitter } from '../base/emitter.ts';
import { AppError, errorCode } from '../base/errors.ts';
import type { DeviceKey, ItemId } from '../base/id.ts';
import type { Logger } from '../base/log.ts';
import type { Segment } from '../contract/swarm.ts';
import type { ErrorView, ItemState } from '../contract/views.ts';
import type { ItemRow } from '../storage/item-table.ts';
import type { FileSegment } from '../torrent/byte-space.ts';
import { isOnList } from '../storage/item-table.ts';
import type { Storage } from '../storage/storage.ts';
import { DiskPromises } from './disk-promise.ts';
import { hasRange, isComplete } from './piece-map.ts';
import type { ItemEvent } from './protocol/event.ts';
import { isItemEvent } from './protocol/event.ts';
import type { SphereList } from './sphere-list.ts';

interface ItemBookDeps {
  readonly storage: Storage;
  readonly list: SphereList;
  readonly clock: Clock;
  readonly log: Logger;
}

/** States in which everything is on this disk as it should be. */
const DONE: readonly ItemState[] = ['complete', 'sharing'];

/** Of an item of which nothing is on this disk. */
export const NOWHERE = { layout: null, path: null, bitfield: null, bytesHave: 0 } as const;

/** What is written down of each item on this device, and why the last attempt at it failed. */
export class ItemBook {
  readonly onItem: Emitter<ItemId>;
  readonly disk: DiskPromises;
  readonly #deps: ItemBookDeps;
  readonly #errors = new Map<ItemId, ErrorView>();
  readonly #checked = new Map<ItemId, number>();

  constructor(deps: ItemBookDeps) {
    this.#deps = deps;
    this.disk = new DiskPromises(deps);
    this.onItem = new Emitter((error) => deps.log.error('item listener failed', { error }));
  }

  row(itemId: ItemId): ItemRow {
    const row = this.#deps.storage.items.get(itemId);
    if (row === undefined) throw new AppError('not-found', 'no such item', { itemId });
    return row;
  }

  event({ sphereId, itemId }: ItemRow): ItemEvent | undefined {
    const event = this.#deps.list.find(sphereId)?.log.get(itemId as string as ItemEvent['id']);
    return isItemEvent(event) ? event : undefined;
  }

  /** Bytes of the files alone. */
  bytes(row: ItemRow): number {
    return this.event(row)?.body.bytes ?? 0;
  }

  isDone({ state }: ItemRow): boolean {
    return DONE.includes(state);
  }

  /** Whether this device shared it: then its files are the person's own and are only read. */
  isMine(row: ItemRow): boolean {
    const sphere = this.#deps.list.find(row.sphereId);
    const event = this.event(row);
    return event?.type === 'item' && event.header.device === sphere?.device;
  }

  /** Whether it counts in this version, is on the list of this device, and we are a member where it does. */
  isInForce(row: ItemRow): boolean {
    if (!isOnList(row)) return false;
    const { sphereId, itemId } = row;
    if (this.#deps.list.moving.has(sphereId)) return false;
    const sphere = this.#deps.list.find(sphereId);
    if (sphere === undefined || sphere.row.state === 'left' || sphere.row.state === 'removed') return false;
    return sphere.state.items.get(itemId)?.replacedBy === null;
  }

  /** Whether every piece with content was once verified on this disk. */
  isWhole(row: ItemRow): boolean {
    const event = this.event(row);
    if (event === undefined) return false;
    const content = (row.layout ?? []).reduce((end, part) => Math.max(end, endOf(part)), 0);
    return isComplete(row.bitfield, Math.ceil(content / event.body.pieceLength));
  }

  /** Whether every piece of the chosen files was once verified on this disk. */
  hasChosen(row: ItemRow): boolean {
    const { bitfield, layout, chosen } = row;
    const map = { bitfield, pieceLength: this.event(row)?.body.pieceLength ?? 1 };
    const files = (layout ?? []).filter((segment) => segment.kind === 'file');
    const isHere = (file: FileSegment | undefined): boolean =>
      file !== undefined && hasRange(map, file.offset, file.offset + file.length);
    return chosen?.every((index) => isHere(files[index])) === true;
  }

  /** Bytes that a check under way has read; null = none is. */
  checked(itemId: ItemId): number | null {
    return this.#checked.get(itemId) ?? null;
  }

  setChecked(itemId: ItemId, bytes: number | null): void {
    if (bytes === null) this.#checked.delete(itemId);
    else this.#checked.set(itemId, bytes);
    this.onItem.emit(itemId);
  }

  error(itemId: ItemId): ErrorView | null {
    return this.#errors.get(itemId) ?? null;
  }

  /** Whether it failed only because what belongs to it was not here: its key, or whoever has its metainfo. */
  isIncomplete({ state, itemId }: ItemRow): boolean {
    const code = this.error(itemId)?.code;
    return state === 'failed' && (code === 'cannot-encrypt' || code === 'disconnected');
  }

  /** Devices of others that once had the whole item. */
  holders(itemId: ItemId): readonly DeviceKey[] {
    return this.#deps.storage.holders.list(itemId);
  }

  update(itemId: ItemId, change: Partial<Omit<ItemRow, 'itemId'>>, error: ErrorView | null = null): void {
    if (error !== null) this.#errors.set(itemId, error);
    else if (change.state !== undefined) this.#errors.delete(itemId);
    if (change.bitfield === null) this.disk.forget(itemId);
    this.#deps.storage.items.update(itemId, { ...change, updatedAtMs: this.#deps.clock.now() });
    this.onItem.emit(itemId);
  }

  /** It stands on the list as one that is neither here nor wanted. */
  clear(itemId: ItemId): void {
    this.update(itemId, { ...NOWHERE, wanted: false, paused: false, chosen: null, state: 'listed' });
  }

  /**
   * More of it came. A power cut may take the last of this back, and then it comes again: to wait each time for a disk
   * that is taking in a film would stall everything else.
   */
  advance(itemId: ItemId, progress: Pick<ItemRow, 'bitfield' | 'bytesHave'>): void {
    const { storage, clock } = this.#deps;
    storage.transaction(() => storage.items.update(itemId, { ...progress, updatedAtMs: clock.now() }), 'later');
    this.onItem.emit(itemId);
  }

  fail(itemId: ItemId, error: unknown): void {
    const view = viewError(error);
    this.#deps.log.warn('item failed', { error });
    this.update(itemId, { state: view.code === 'disk-full' ? 'disk-full' : 'failed' }, view);
  }

  /** It cannot go on now, and will by itself once what is missing is there. */
  wait(itemId: ItemId, error: unknown): void {
    this.#deps.log.info('item waits', { error });
    this.update(itemId, { state: 'queued' }, viewError(error));
  }
}

/** The sharer's own files, as opposed to a copy fetched from others. */
export function isReadInPlace(row: ItemRow): boolean {
  return (row.layout ?? []).every((segment) => segment.kind !== 'file' || segment.root === null);
}

function endOf(segment: Segment): number {
  return segment.offset + (segment.kind === 'file' ? segment.length : segment.bytes.length);
}

function viewError(error: unknown): ErrorView {
  return { code: errorCode(error), message: error instanceof Error ? error.message : 'unknown' };
}
