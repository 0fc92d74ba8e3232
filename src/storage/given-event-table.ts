import type { BareJid, EventId, SphereId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { flag, integer, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** What a member gave us of a sphere in another way than its room. */
export interface GivenEventRow {
  readonly sphereId: SphereId;
  readonly eventId: EventId;
  readonly by: BareJid;
  readonly atMs: number;
  /** What its device said before and after it came live, while we were in the room without a break. */
  readonly isLive: boolean;
  /** `asked`: the room's archive was, and nothing is found. `withheld`: the server kept it back, and the person has yet to read of it. */
  readonly state: 'waiting' | 'asked' | 'withheld';
}

const COLUMNS: Columns<GivenEventRow> = {
  sphereId: text('sphere_id'),
  eventId: text('event_id'),
  by: text('by_jid'),
  atMs: integer('at_ms'),
  isLive: flag('is_live'),
  state: text('state'),
};

export class GivenEventTable {
  readonly #rows: Rows<GivenEventRow, 'sphereId' | 'eventId'>;

  constructor(deps: { database: Database }) {
    const key = ['sphereId', 'eventId'] as const;
    this.#rows = new Rows({ database: deps.database, table: 'given_event', columns: COLUMNS, key });
  }

  /** Of all spheres, the oldest first. */
  list(): GivenEventRow[] {
    return this.#rows.select('ORDER BY at_ms, event_id');
  }

  put(row: GivenEventRow): void {
    this.#rows.put(row);
  }

  remove({ sphereId, eventId }: Pick<GivenEventRow, 'sphereId' | 'eventId'>): void {
    this.#rows.remove({ sphereId, eventId });
  }
}
