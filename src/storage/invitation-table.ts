import type { BareJid, SphereId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { integer, sealedBytes, sealedText, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

export interface InvitationRow {
  readonly id: string;
  readonly sphereId: SphereId;
  readonly name: string;
  readonly room: BareJid;
  readonly from: BareJid;
  readonly envelope: Uint8Array;
  readonly atMs: number;
  /** `replaced` by a newer one for the same sphere, `withdrawn` by whoever may. */
  readonly state: 'open' | 'accepted' | 'declined' | 'replaced' | 'withdrawn';
}

const COLUMNS: Columns<InvitationRow> = {
  id: text('id'),
  sphereId: text('sphere_id'),
  name: sealedText('name'),
  room: text('room'),
  from: text('sender'),
  envelope: sealedBytes('envelope'),
  atMs: integer('at_ms'),
  state: text('state'),
};

export class InvitationTable {
  readonly #rows: Rows<InvitationRow, 'id'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'invitation', columns: COLUMNS, key: ['id'] });
  }

  get(id: string): InvitationRow | undefined {
    return this.#rows.get({ id });
  }

  bySphere(sphereId: SphereId): InvitationRow[] {
    return this.#rows.select('WHERE sphere_id = @sphereId ORDER BY at_ms, id', { sphereId });
  }

  /** Oldest first. */
  list(state: InvitationRow['state']): InvitationRow[] {
    return this.#rows.select('WHERE state = @state ORDER BY at_ms, id', { state });
  }

  put(invitation: InvitationRow): void {
    this.#rows.put(invitation);
  }

  update(id: string, changes: Partial<Omit<InvitationRow, 'id'>>): boolean {
    return this.#rows.update({ id }, changes);
  }

  remove(id: string): boolean {
    return this.#rows.remove({ id });
  }
}
