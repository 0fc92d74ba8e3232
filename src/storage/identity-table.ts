import type { DeviceKey, PersonId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { integer, nullable, sealedBytes, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** Who we are: our person and this installation. The private keys are in whatever encoding their owner gives. */
export interface IdentityRow {
  readonly person: PersonId;
  readonly personPrivateKey: Uint8Array;
  readonly device: DeviceKey;
  readonly devicePrivateKey: Uint8Array;
  /** 16 bytes; null until a recovery kit was made. */
  readonly recoveryKey: Uint8Array | null;
}

const COLUMNS: Columns<IdentityRow & { readonly id: number }> = {
  id: integer('id'),
  person: text('person'),
  personPrivateKey: sealedBytes('person_private_key'),
  device: text('device'),
  devicePrivateKey: sealedBytes('device_private_key'),
  recoveryKey: nullable(sealedBytes('recovery_key')),
};

/** Holds at most one identity. */
export class IdentityTable {
  readonly #rows: Rows<IdentityRow & { readonly id: number }, 'id'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'identity', columns: COLUMNS, key: ['id'] });
  }

  get(): IdentityRow | undefined {
    const row = this.#rows.get({ id: 1 });
    if (row === undefined) return undefined;
    const { id: _id, ...identity } = row;
    return identity;
  }

  put(identity: IdentityRow): void {
    this.#rows.put({ id: 1, ...identity });
  }
}
