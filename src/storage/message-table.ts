import type { ErrorCode } from '../base/errors.ts';
import type { BareJid, DeviceKey, EventId, ItemId, SphereId } from '../base/id.ts';
import type { MessageView } from '../contract/views.ts';
import type { Columns } from './columns.ts';
import { flag, integer, nullable, sealedText, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';
import type { SphereRow } from './sphere-table.ts';

/** One line of a sphere's conversation as this device shows it. */
export interface MessageRow {
  /** Counts arrivals. */
  readonly order: number;
  /** Lines stand by `place`, then `lamport`, then `order`. */
  readonly place: number;
  readonly id: EventId;
  readonly sphereId: SphereId;
  readonly from: BareJid;
  readonly kind: MessageView['kind'];
  readonly text: string;
  readonly itemId: ItemId | null;
  readonly atMs: number;
  readonly lamport: number;
  /** Who has it and who has seen it is not kept here. */
  readonly state: Exclude<MessageView['state'], 'delivered' | 'seen'>;
  /** Why it is `failed`. */
  readonly failure: ErrorCode | null;
  readonly encrypted: boolean;
  /** What it answers or comments on. */
  readonly replyTo: EventId | null;
  /** Whether the person has seen it. */
  readonly read: boolean;
}

const COLUMNS: Columns<MessageRow> = {
  order: integer('position'),
  place: integer('place'),
  id: text('id'),
  sphereId: text('sphere_id'),
  from: text('sender'),
  kind: text('kind'),
  text: sealedText('text'),
  itemId: nullable(text<ItemId>('item_id')),
  atMs: integer('at_ms'),
  lamport: integer('lamport'),
  state: text('state'),
  failure: nullable(text<ErrorCode>('failure')),
  encrypted: flag('encrypted'),
  replyTo: nullable(text<EventId>('reply_to')),
  read: flag('read'),
};

/** Where a line stands among the others. */
type Standing = Pick<MessageRow, 'place' | 'lamport' | 'order'>;

const BACKWARDS = 'place DESC, lamport DESC, position DESC';

/** Every list is in the order of the conversation, oldest first. */
export class MessageTable {
  readonly #database: Database;
  readonly #rows: Rows<MessageRow, 'id'>;

  constructor(deps: { database: Database }) {
    this.#database = deps.database;
    this.#rows = new Rows({ database: deps.database, table: 'message', columns: COLUMNS, key: ['id'] });
  }

  /**
   * Returns the number of its arrival, or undefined when it is there already. The newest line stands last; one that
   * is told again later stands before the first line of a greater Lamport time.
   */
  add(message: Omit<MessageRow, 'order' | 'place'>, isToldAgain = false): number | undefined {
    if (this.has(message.id)) return undefined;
    const next = isToldAgain ? this.#firstBeyond(message) : undefined;
    const order = this.#rows.insertNumbered({ ...message, place: next?.place ?? 0 });
    if (next === undefined) this.#rows.update({ id: message.id }, { place: order });
    return order;
  }

  get(id: EventId): MessageRow | undefined {
    return this.#rows.get({ id });
  }

  has(id: EventId): boolean {
    return this.#rows.has({ id });
  }

  newest(sphereId: SphereId, limit: number): MessageRow[] {
    const rest = `WHERE sphere_id = @sphereId ORDER BY ${BACKWARDS} LIMIT @limit`;
    return this.#rows.select(rest, { sphereId, limit }).toReversed();
  }

  after(sphereId: SphereId, { place, lamport, order }: Standing, limit: number): MessageRow[] {
    const rest = `WHERE sphere_id = @sphereId AND (place, lamport, position) > (@place, @lamport, @order)
      ORDER BY place, lamport, position LIMIT @limit`;
    return this.#rows.select(rest, { sphereId, place, lamport, order, limit });
  }

  /** The `limit` messages right before this one. */
  before(sphereId: SphereId, { place, lamport, order }: Standing, limit: number): MessageRow[] {
    const rest = `WHERE sphere_id = @sphereId AND (place, lamport, position) < (@place, @lamport, @order)
      ORDER BY ${BACKWARDS} LIMIT @limit`;
    return this.#rows.select(rest, { sphereId, place, lamport, order, limit }).toReversed();
  }

  /** The line itself, if it is there, in the middle of `limit` lines. */
  around(sphereId: SphereId, standing: Standing, limit: number): MessageRow[] {
    const before = this.before(sphereId, standing, Math.floor(limit / 2));
    const last = before.at(-1) ?? { place: 0, lamport: 0, order: 0 };
    return [...before, ...this.after(sphereId, last, limit - before.length)];
  }

  /** Of all spheres the `limit` lines that arrived right before this one, newest first. */
  arrivedBefore(order: number, limit: number): MessageRow[] {
    return this.#rows.select('WHERE position < @order ORDER BY position DESC LIMIT @limit', { order, limit });
  }

  /** The newest `limit` lines that answer a message or comment on an item, oldest first. */
  repliesTo(target: EventId, limit: number): MessageRow[] {
    const rest = `WHERE reply_to = @target ORDER BY ${BACKWARDS} LIMIT @limit`;
    return this.#rows.select(rest, { target, limit }).toReversed();
  }

  /** Lines of others that the person has not seen, without what was said before we joined. */
  countUnread(sphere: Pick<SphereRow, 'id' | 'joinedLamport'>, own: BareJid): number {
    const where = `sphere_id = @id AND read = 0 AND sender <> @own AND (lamport = 0 OR lamport > @joinedLamport)`;
    const { id, joinedLamport } = sphere;
    return this.#rows.count(where, { id, own, joinedLamport });
  }

  /** The person has seen all lines, or those of one kind. Returns how many were new. */
  markRead(sphereId: SphereId, kind: MessageRow['kind'] | null): number {
    const where = `sphere_id = @sphereId AND read = 0 AND (@kind IS NULL OR kind = @kind)`;
    return this.#database.run(`UPDATE message SET read = 1 WHERE ${where}`, { sphereId, kind }).changes;
  }

  /** The person has seen, elsewhere, everything of a device up to a number. */
  markReadUpTo(sphereId: SphereId, device: DeviceKey, sequence: number): number {
    const said = 'SELECT id FROM event WHERE sphere_id = @sphereId AND device = @device AND sequence <= @sequence';
    const where = `sphere_id = @sphereId AND read = 0 AND id IN (${said})`;
    return this.#database.run(`UPDATE message SET read = 1 WHERE ${where}`, { sphereId, device, sequence }).changes;
  }

  /** The person has seen, elsewhere, everything that stands for no event up to a line, if that is here. */
  markLinesReadUpTo(sphereId: SphereId, line: EventId): void {
    const last = this.get(line);
    if (last?.sphereId !== sphereId) return;
    const { place, lamport, order } = last;
    const where = `sphere_id = @sphereId AND read = 0 AND (place, lamport, position) <= (@place, @lamport, @order)
      AND id NOT IN (SELECT id FROM event WHERE event.id = message.id)`;
    // By place it would go through all lines that were read before, each time.
    const sql = `UPDATE message INDEXED BY message_unread SET read = 1 WHERE ${where}`;
    this.#database.run(sql, { sphereId, place, lamport, order });
  }

  /** The newest line of an ordinary XMPP program that the person has seen. */
  newestReadLine(sphereId: SphereId): EventId | undefined {
    const rest = `WHERE sphere_id = @sphereId AND state = 'guest' AND read = 1 ORDER BY ${BACKWARDS} LIMIT 1`;
    return this.#rows.pick(['id'], rest, { sphereId })[0]?.id;
  }

  /** Of each device the number of the first event whose line the person has not seen. */
  firstUnread(sphereId: SphereId): ReadonlyMap<DeviceKey, number> {
    const rows = this.#database.all<{ device: DeviceKey; sequence: number }>(
      `SELECT event.device AS device, min(event.sequence) AS sequence FROM message JOIN event ON event.id = message.id
       WHERE message.sphere_id = @sphereId AND message.read = 0 GROUP BY event.device`,
      { sphereId },
    );
    return new Map(rows.map(({ device, sequence }) => [device, sequence]));
  }

  update(id: EventId, changes: Partial<Omit<MessageRow, 'id' | 'order' | 'place'>>): boolean {
    return this.#rows.update({ id }, changes);
  }

  remove(id: EventId): boolean {
    return this.#rows.remove({ id });
  }

  #firstBeyond({ sphereId, lamport }: Pick<MessageRow, 'sphereId' | 'lamport'>): Pick<MessageRow, 'place'> | undefined {
    // By place it would go through all lines before: through a long past once for each of its lines.
    const first = `SELECT position FROM message INDEXED BY message_by_lamport
      WHERE sphere_id = @sphereId AND lamport > @lamport ORDER BY place, lamport, position LIMIT 1`;
    return this.#rows.pick(['place'], `WHERE position = (${first})`, { sphereId, lamport })[0];
  }
}
