import { hasBit } from '../base/bitfield.ts';
import { AppError, errorCode } from '../base/errors.ts';
import { toHex } from '../base/bytes.ts';
import type { ItemId } from '../base/id.ts';
import type { FileIdentity, Segment } from '../contract/swarm.ts';
import type { ItemRow } from '../storage/item-table.ts';
import { sameIdentity } from '../torrent/file-identity.ts';
import type { Metainfo } from '../torrent/metainfo.ts';
import { DIGEST_BYTES, pieceCount } from '../torrent/metainfo.ts';
import type { ItemBook } from './item-book.ts';
import { isReadInPlace } from './item-book.ts';
import type { ItemSource } from './item-source.ts';
import { shapeOf } from './item-source.ts';
import { fullBitfield } from './piece-map.ts';
import { filesAreFixed, withIdentities } from '../torrent/torrent-spec.ts';
import { stageSegments } from './stage-segments.ts';
import type { SphereList } from './sphere-list.ts';
import type { SwarmCalls, SwarmFeed } from './swarm-feed.ts';

interface ItemRecheckDeps {
  readonly book: ItemBook;
  readonly list: SphereList;
  readonly feed: SwarmFeed;
  readonly source: ItemSource;
  readonly activate: (itemId: ItemId, signal: AbortSignal) => Promise<void>;
}

/** Reads a whole item again and compares it with what was shared. Files are only read; damage is fetched again. */
export class ItemRecheck {
  readonly #deps: ItemRecheckDeps;
  readonly #running = new Map<ItemId, AbortController>();

  constructor(deps: ItemRecheckDeps) {
    this.#deps = deps;
  }

  /** Ends the check that is under way; false when none is. */
  cancel(itemId: ItemId): boolean {
    const running = this.#running.get(itemId);
    running?.abort(new AppError('cancelled', 'cancelled by the person'));
    return running !== undefined;
  }

  /**
   * Gives how many pieces are damaged. An item that has not arrived whole is left alone: every piece of an earlier run
   * is read back anyway before it is called complete.
   */
  async run(itemId: ItemId, signal: AbortSignal): Promise<number> {
    const { book } = this.#deps;
    const row = book.row(itemId);
    if (row.layout === null) throw new AppError('not-found', 'the item is not on this disk', { itemId });
    if (!book.isInForce(row)) throw new AppError('not-allowed', 'the item is not in use');
    if (!book.isWhole(row) || !filesAreFixed(row.layout)) return 0;
    if (this.#running.has(itemId)) throw new AppError('conflict', 'the item is being checked already');
    const abort = new AbortController();
    this.#running.set(itemId, abort);
    try {
      return await this.#check(row, AbortSignal.any([signal, abort.signal]), signal);
    } finally {
      this.#running.delete(itemId);
      book.setChecked(itemId, null);
    }
  }

  async #check(row: ItemRow, signal: AbortSignal, activating: AbortSignal): Promise<number> {
    const { book, feed, activate } = this.#deps;
    const { itemId } = row;
    book.setChecked(itemId, 0);
    book.update(itemId, { state: 'verifying' });
    await feed.remove(row.infoHash);
    try {
      const { metainfo, pieces, identities } = await this.#hash(row, signal);
      const bad = differing(metainfo, pieces);
      book.update(itemId, outcome(book, row, { metainfo, identities, bad }));
      return bad.length;
    } catch (error) {
      const code = errorCode(error);
      const state = code === 'file-changed' ? 'changed' : code === 'file-missing' ? 'missing' : row.state;
      book.update(itemId, { state });
      throw error;
    } finally {
      if (row.wanted && book.row(itemId).state !== 'changed') await activate(itemId, activating);
    }
  }

  async #hash(row: ItemRow, signal: AbortSignal) {
    const { list, source, feed, book } = this.#deps;
    const sphere = list.get(row.sphereId);
    const event = source.event(sphere, row.itemId);
    const bytes = await source.metainfo(sphere, event, signal);
    const metainfo = shapeOf(event, bytes);
    // Compared with the bytes that were shared, whatever the dates of the files say.
    const segments = (row.layout ?? []).map((part): Segment => (part.kind === 'file' ? unbound(part) : part));
    const { length, pieceLength } = metainfo;
    const request = { segments, length, pieceLength, mediaKey: source.mediaKey(sphere, event) };
    const ask = async (calls: SwarmCalls) => {
      for await (const step of await calls.hash(await stageSegments(calls, request), { signal })) {
        if (step.kind === 'done') return step;
        book.setChecked(row.itemId, Math.min(step.bytesDone, book.bytes(row)));
      }
      throw signal.reason ?? new Error('the hasher ended without a result');
    };
    const { pieces, identities } = await feed.ask(ask, signal);
    return { metainfo, pieces, identities };
  }
}

function unbound(part: Extract<Segment, { kind: 'file' }>): Segment {
  return { ...part, identity: null };
}

function differing({ pieces: expected }: Metainfo, found: Uint8Array): number[] {
  const bad: number[] = [];
  for (let index = 0; index * DIGEST_BYTES < expected.length; index += 1) {
    const range = [index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES] as const;
    if (toHex(expected.subarray(...range)) !== toHex(found.subarray(...range))) bad.push(index);
  }
  return bad;
}

interface Found {
  readonly metainfo: Metainfo;
  readonly identities: readonly FileIdentity[];
  readonly bad: readonly number[];
}

/** Damage of a received copy is repaired; an edit is the person's own, and is never overwritten. */
function outcome(book: ItemBook, row: ItemRow, { metainfo, identities, bad }: Found): Partial<ItemRow> {
  const layout = row.layout ?? [];
  const inPlace = isReadInPlace(row);
  const pieces = pieceCount(metainfo);
  if (bad.length === 0) {
    const state = book.isMine(row) && inPlace ? 'sharing' : 'verifying';
    const whole = { layout: withIdentities(layout, identities), bitfield: fullBitfield(pieces) };
    return { ...whole, state, bytesHave: book.bytes(row) };
  }
  const files = layout.filter((part) => part.kind === 'file');
  const untouched = files.every(({ identity }, index) => isSame(identity, identities[index]));
  if (inPlace || !untouched) return { state: 'changed' };
  const bitfield = fullBitfield(pieces);
  for (const index of bad) bitfield[index >> 3] = (bitfield[index >> 3] ?? 0) & ~(0x80 >> (index & 7));
  const good = Array.from({ length: pieces }, (_, index) => index).filter((index) => hasBit(bitfield, index)).length;
  return {
    layout: layout.map((part) => (part.kind === 'file' ? unbound(part) : part)),
    bitfield,
    bytesHave: Math.min(book.bytes(row), good * metainfo.pieceLength),
    state: 'downloading',
  };
}

function isSame(known: FileIdentity | null, now: FileIdentity | undefined): boolean {
  return known !== null && now !== undefined && sameIdentity(known, now);
}
