import type { Clock } from '../base/clock.ts';
import type { ItemId } from '../base/id.ts';
import type { ItemRow } from '../storage/item-table.ts';
import { isOnList } from '../storage/item-table.ts';
import type { ItemService } from './item-service.ts';

/** One of which nothing has come for so long keeps no place: whoever has it may be away. */
const STALLED_MS = 300_000;
/** What could not go on is not begun again sooner. */
const AGAIN_MS = 600_000;
const UNDER_WAY: readonly ItemRow['state'][] = ['queued', 'downloading', 'verifying'];

interface Begun {
  /** Whose connections it takes. */
  readonly sharer: string;
  readonly beganMs: number;
  bytesHave: number;
  /** When some of it came last. */
  movedMs: number;
  isMoving: boolean;
}

interface BegunItemsDeps {
  readonly items: Pick<ItemService, 'error' | 'live'>;
  readonly sharerOf: (row: ItemRow) => string;
  readonly clock: Clock;
}

/** The items that were begun without being asked for, and which of them are moving. */
export class BegunItems {
  readonly #deps: BegunItemsDeps;
  readonly #begun = new Map<ItemId, Begun>();

  constructor(deps: BegunItemsDeps) {
    this.#deps = deps;
  }

  /** What was under way before a restart goes on by itself, and nobody knows who began it. */
  adopt(rows: Iterable<ItemRow>): void {
    for (const row of rows) if (this.#isUnderWay(row)) this.add(row);
  }

  add(row: ItemRow): void {
    const { itemId, bytesHave } = row;
    const nowMs = this.#deps.clock.monotonic();
    const sharer = this.#deps.sharerOf(row);
    this.#begun.set(itemId, { sharer, beganMs: nowMs, bytesHave, movedMs: nowMs, isMoving: true });
  }

  mayBegin(itemId: ItemId): boolean {
    const begun = this.#begun.get(itemId);
    return begun === undefined || this.#deps.clock.monotonic() - begun.beganMs >= AGAIN_MS;
  }

  /** How many of each sharer are moving. */
  get moving(): Map<string, number> {
    const moving = new Map<string, number>();
    for (const { sharer, isMoving } of this.#begun.values()) {
      if (isMoving) moving.set(sharer, (moving.get(sharer) ?? 0) + 1);
    }
    return moving;
  }

  /** What became of each since the last look. */
  look(rows: ReadonlyMap<ItemId, ItemRow>): void {
    const nowMs = this.#deps.clock.monotonic();
    for (const [itemId, begun] of this.#begun) {
      const row = rows.get(itemId);
      const isUnderWay = row !== undefined && this.#isUnderWay(row);
      if (!isUnderWay && this.mayBegin(itemId)) this.#begun.delete(itemId);
      if (row === undefined) continue;
      const hasMoved = row.bytesHave !== begun.bytesHave || (this.#deps.items.live(row)?.downBps ?? 0) > 0;
      if (hasMoved) begun.movedMs = nowMs;
      begun.bytesHave = row.bytesHave;
      begun.isMoving = isUnderWay && nowMs - begun.movedMs < STALLED_MS;
    }
  }

  /** Whether it was moving, and has ended, failed or has to wait. */
  hasStopped(row: ItemRow): boolean {
    const begun = this.#begun.get(row.itemId);
    if (begun?.isMoving !== true || this.#isUnderWay(row)) return false;
    begun.isMoving = false;
    return true;
  }

  has(itemId: ItemId): boolean {
    return this.#begun.has(itemId);
  }

  #isUnderWay(row: ItemRow): boolean {
    if (!row.wanted || row.paused || !isOnList(row) || !UNDER_WAY.includes(row.state)) return false;
    // It waits for a key, for example.
    return row.state !== 'queued' || this.#deps.items.error(row.itemId) === null;
  }
}
