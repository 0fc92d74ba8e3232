import { MAX_PARTS } from '../base/cut-text.ts';
import type { DeviceKey, EventId, SphereId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { blob, integer, sealedBytes, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** A signed event of a sphere's log, kept byte for byte. */
export interface EventRow {
  readonly id: EventId;
  readonly sphereId: SphereId;
  readonly bytes: Uint8Array;
  readonly signature: Uint8Array;
  readonly device: DeviceKey;
  readonly sequence: number;
  readonly lamport: number;
  readonly type: string;
  readonly receivedAtMs: number;
}

const COLUMNS: Columns<EventRow> = {
  id: text('id'),
  sphereId: text('sphere_id'),
  bytes: sealedBytes('bytes'),
  signature: blob('signature'),
  device: text('device'),
  sequence: integer('sequence'),
  lamport: integer('lamport'),
  type: text('type'),
  receivedAtMs: integer('received_at_ms'),
};

const TEXTS: ReadonlySet<string> = new Set(['part', 'message', 'edit']);

export class EventTable {
  readonly #rows: Rows<EventRow, 'id'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'event', columns: COLUMNS, key: ['id'] });
  }

  /** Returns false when the event was there already; what is stored never changes. */
  add(event: EventRow): boolean {
    return this.#rows.insertIfAbsent(event);
  }

  get(id: EventId): EventRow | undefined {
    return this.#rows.get({ id });
  }

  has(id: EventId): boolean {
    return this.#rows.has({ id });
  }

  /** In the order of the log: Lamport time, then device, sequence and id. */
  list(sphereId: SphereId): EventRow[] {
    return this.#rows.select('WHERE sphere_id = @sphereId ORDER BY lamport, device, sequence, id', { sphereId });
  }

  /** All of a sphere, in the same order. */
  ids(sphereId: SphereId): EventId[] {
    const rest = 'WHERE sphere_id = @sphereId ORDER BY lamport, device, sequence, id';
    return this.#rows.pick(['id'], rest, { sphereId }).map(({ id }) => id);
  }

  /** In no order. */
  some(ids: readonly EventId[]): Pick<EventRow, 'id' | 'bytes' | 'signature'>[] {
    const rest = 'WHERE id IN (SELECT value FROM json_each(@ids))';
    return this.#rows.pick(['id', 'bytes', 'signature'], rest, { ids: JSON.stringify(ids) });
  }

  /** Number of the last thing people see that a device said, not beyond `sequence`; undefined when there is none. */
  lastShown(sphereId: SphereId, device: DeviceKey, sequence: number): number | undefined {
    const rest = `WHERE sphere_id = @sphereId AND device = @device AND sequence <= @sequence
      AND type IN ('message', 'item', 'torrent') ORDER BY sequence DESC LIMIT 1`;
    return this.#rows.selectOne(rest, { sphereId, device, sequence })?.sequence;
  }

  /** Ids of what a device said with numbers beyond `from` and up to `to`, newest first. */
  idsBetween(sphereId: SphereId, device: DeviceKey, range: { from: number; to: number }, limit: number): EventId[] {
    const rest = `WHERE sphere_id = @sphereId AND device = @device AND sequence > @from AND sequence <= @to
      ORDER BY sequence DESC LIMIT @limit`;
    return this.#rows.select(rest, { sphereId, device, ...range, limit }).map(({ id }) => id);
  }

  /** All events of the text that this one belongs to, in order: `part` events of its device and the one that they begin. */
  ofText(id: EventId): EventId[] {
    const event = this.get(id);
    if (event === undefined || !TEXTS.has(event.type)) return [id];
    const rest = `WHERE sphere_id = @sphereId AND device = @device AND sequence >= @from AND sequence <= @to ORDER BY sequence`;
    const { sphereId, device, sequence } = event;
    const range = { from: sequence - MAX_PARTS, to: sequence + MAX_PARTS };
    const near = this.#rows.pick(['id', 'type'], rest, { sphereId, device, ...range });
    const isEnd = ({ type }: { readonly type: string }): boolean => type !== 'part';
    const at = near.findIndex((row) => row.id === id);
    const begin = near.slice(0, at).findLastIndex(isEnd) + 1;
    const end = near.findIndex((row, place) => place >= at && isEnd(row));
    return end === -1 ? [id] : near.slice(begin, end + 1).map((row) => row.id);
  }

  /** Under which the text that this event belongs to is shown; of what is no text the event itself. */
  lineOf(id: EventId): EventId {
    return this.ofText(id).at(-1) ?? id;
  }

  count(sphereId: SphereId): number {
    return this.#rows.count('sphere_id = @sphereId', { sphereId });
  }

  /** What an event of a sphere takes, in bytes. */
  averageBytes(sphereId: SphereId): number {
    return this.#rows.averageLength('bytes', 'sphere_id = @sphereId', { sphereId });
  }

  remove(id: EventId): boolean {
    return this.#rows.remove({ id });
  }
}
