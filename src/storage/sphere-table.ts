import type { BareJid, SphereId } from '../base/id.ts';
import type { LimitsView } from '../contract/views.ts';
import { limitsSchema } from '../contract/views.ts';
import type { Columns } from './columns.ts';
import { flag, integer, json, nullable, sealedText, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

export interface SphereRow {
  readonly id: SphereId;
  readonly name: string;
  readonly room: BareJid;
  /** Absolute path. */
  readonly folder: string;
  readonly state: 'joining' | 'joined' | 'left' | 'removed';
  readonly invitedBy: BareJid | null;
  /** Archive id of the last room message dealt with. */
  readonly archiveCursor: string | null;
  /** Lamport time of our joining: what is older was said before and is no news. */
  readonly joinedLamport: number;
  readonly createdAtMs: number;
  /** Place in the person's own list. */
  readonly position: number;
  /** Taken off that list after it ended. */
  readonly hidden: boolean;
  readonly limits: LimitsView;
}

const COLUMNS: Columns<SphereRow> = {
  id: text('id'),
  name: sealedText('name'),
  room: text('room'),
  folder: text('folder'),
  state: text('state'),
  invitedBy: nullable(text<BareJid>('invited_by')),
  archiveCursor: nullable(text('archive_cursor')),
  joinedLamport: integer('joined_lamport'),
  createdAtMs: integer('created_at_ms'),
  position: integer('position'),
  hidden: flag('hidden'),
  limits: json('limits', (value) => limitsSchema.parse(value)),
};

/**
 * Removing a sphere removes its events, keys, items, messages and outgoing mail with it. Rows that were read are
 * remembered: they are asked for many times with every message.
 */
export class SphereTable {
  readonly #database: Database;
  readonly #rows: Rows<SphereRow, 'id'>;
  readonly #known = new Map<SphereId, SphereRow>();
  #undone = 0;

  constructor(deps: { database: Database }) {
    this.#database = deps.database;
    this.#rows = new Rows({ database: deps.database, table: 'sphere', columns: COLUMNS, key: ['id'] });
  }

  get(id: SphereId): SphereRow | undefined {
    if (this.#undone !== this.#database.undone) this.#known.clear();
    this.#undone = this.#database.undone;
    const row = this.#known.get(id) ?? this.#rows.get({ id });
    if (row !== undefined) this.#known.set(id, row);
    return row;
  }

  list(): SphereRow[] {
    return this.#rows.select('ORDER BY position, created_at_ms, id');
  }

  /** Whether it is, or was, the folder of any sphere. */
  hasFolder(folder: string): boolean {
    return this.list().some((row) => row.folder === folder);
  }

  put(sphere: SphereRow): void {
    this.#known.delete(sphere.id);
    this.#rows.put(sphere);
  }

  update(id: SphereId, changes: Partial<Omit<SphereRow, 'id'>>): boolean {
    this.#known.delete(id);
    return this.#rows.update({ id }, changes);
  }

  /** Notes the place read to in a room's archive; it is on the disk later, after what was read. */
  noteCursor(id: SphereId, archiveCursor: string): void {
    this.#database.transaction(() => this.update(id, { archiveCursor }), 'later');
  }

  remove(id: SphereId): boolean {
    this.#known.delete(id);
    return this.#rows.remove({ id });
  }
}
