import type { BareJid, EventId, ItemId, SphereId } from '../base/id.ts';
import type { MessageView } from '../contract/views.ts';
import type { Columns } from './columns.ts';
import { flag, integer, nullable, sealedText, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';
import type { SphereRow } from './sphere-table.ts';

/** One line of a sphere's conversation as this device shows it. */
export interface MessageRow {
  /** Place in the conversation, given at arrival. */
  readonly order: number;
  readonly id: EventId;
  readonly sphereId: SphereId;
  readonly from: BareJid;
  readonly kind: MessageView['kind'];
  readonly text: string;
  readonly itemId: ItemId | null;
  readonly atMs: number;
  readonly lamport: number;
  readonly state: MessageView['state'];
  readonly encrypted: boolean;
}

const COLUMNS: Columns<MessageRow> = {
  order: integer('position'),
  id: text('id'),
  sphereId: text('sphere_id'),
  from: text('sender'),
  kind: text('kind'),
  text: sealedText('text'),
  itemId: nullable(text<ItemId>('item_id')),
  atMs: integer('at_ms'),
  lamport: integer('lamport'),
  state: text('state'),
  encrypted: flag('encrypted'),
};

/** Every list is in the order of the conversation, oldest first. */
export class MessageTable {
  readonly #rows: Rows<MessageRow, 'id'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'message', columns: COLUMNS, key: ['id'] });
  }

  /** Returns the message's place, or undefined when it is there already. */
  add(message: Omit<MessageRow, 'order'>): number | undefined {
    return this.has(message.id) ? undefined : this.#rows.insertNumbered(message);
  }

  get(id: EventId): MessageRow | undefined {
    return this.#rows.get({ id });
  }

  has(id: EventId): boolean {
    return this.#rows.has({ id });
  }

  newest(sphereId: SphereId, limit: number): MessageRow[] {
    const rest = 'WHERE sphere_id = @sphereId ORDER BY position DESC LIMIT @limit';
    return this.#rows.select(rest, { sphereId, limit }).toReversed();
  }

  after(sphereId: SphereId, order: number, limit: number): MessageRow[] {
    const rest = 'WHERE sphere_id = @sphereId AND position > @order ORDER BY position LIMIT @limit';
    return this.#rows.select(rest, { sphereId, order, limit });
  }

  /** The `limit` messages right before `order`. */
  before(sphereId: SphereId, order: number, limit: number): MessageRow[] {
    const rest = 'WHERE sphere_id = @sphereId AND position < @order ORDER BY position DESC LIMIT @limit';
    return this.#rows.select(rest, { sphereId, order, limit }).toReversed();
  }

  /** Messages of others beyond the place the person has read to, without what was said before we joined. */
  countUnread(sphere: Pick<SphereRow, 'id' | 'readPosition' | 'joinedLamport'>, own: BareJid): number {
    const where = `sphere_id = @id AND sender <> @own AND position > @readPosition AND kind <> 'notice'
      AND (lamport = 0 OR lamport > @joinedLamport)`;
    const { id, readPosition, joinedLamport } = sphere;
    return this.#rows.count(where, { id, own, readPosition, joinedLamport });
  }

  update(id: EventId, changes: Partial<Omit<MessageRow, 'id' | 'order'>>): boolean {
    return this.#rows.update({ id }, changes);
  }

  remove(id: EventId): boolean {
    return this.#rows.remove({ id });
  }
}
