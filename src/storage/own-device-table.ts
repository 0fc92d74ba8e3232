import type { BareJid, DeviceKey } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { integer, sealedText, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** An installation of our own person, certified by the person key. */
export interface OwnDeviceRow {
  readonly device: DeviceKey;
  /** What its owner calls it; empty until it has told. */
  readonly name: string;
  readonly jid: BareJid;
  readonly omemoDeviceId: number;
  /** 33 bytes in hex. */
  readonly omemoIdentityKey: string;
  /** `here` = this one; `new` = the person has not said yet that it is theirs; `ended` = removed for good. */
  readonly state: 'here' | 'new' | 'known' | 'ended';
  readonly addedAtMs: number;
  readonly seenAtMs: number;
}

const COLUMNS: Columns<OwnDeviceRow> = {
  device: text('device'),
  name: sealedText('name'),
  jid: text('jid'),
  omemoDeviceId: integer('omemo_device_id'),
  omemoIdentityKey: text('omemo_identity_key'),
  state: text('state'),
  addedAtMs: integer('added_at_ms'),
  seenAtMs: integer('seen_at_ms'),
};

/** The person's devices, as this one knows them. */
export class OwnDeviceTable {
  readonly #rows: Rows<OwnDeviceRow, 'device'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'own_device', columns: COLUMNS, key: ['device'] });
  }

  get(device: DeviceKey): OwnDeviceRow | undefined {
    return this.#rows.get({ device });
  }

  /** Oldest first. */
  list(): OwnDeviceRow[] {
    return this.#rows.select('ORDER BY added_at_ms, device');
  }

  put(row: OwnDeviceRow): void {
    this.#rows.put(row);
  }

  update(device: DeviceKey, change: Partial<Omit<OwnDeviceRow, 'device'>>): boolean {
    return this.#rows.update({ device }, change);
  }
}
