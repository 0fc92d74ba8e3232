import type { BareJid } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { blob, integer, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** An OMEMO device we have met, with the identity key it must keep. */
export interface KnownDeviceRow {
  readonly jid: BareJid;
  readonly deviceId: number;
  /** 33 bytes, the first is 0x05. */
  readonly identityKey: Uint8Array;
  readonly firstSeenMs: number;
}

const COLUMNS: Columns<KnownDeviceRow> = {
  jid: text('jid'),
  deviceId: integer('device_id'),
  identityKey: blob('identity_key'),
  firstSeenMs: integer('first_seen_ms'),
};

export class KnownDeviceTable {
  readonly #database: Database;
  readonly #rows: Rows<KnownDeviceRow, 'jid' | 'deviceId'>;

  constructor(deps: { database: Database }) {
    this.#database = deps.database;
    this.#rows = new Rows({
      database: deps.database,
      table: 'known_device',
      columns: COLUMNS,
      key: ['jid', 'deviceId'],
    });
  }

  get(jid: BareJid, deviceId: number): KnownDeviceRow | undefined {
    return this.#rows.get({ jid, deviceId });
  }

  /** Remembers the key a device has now; a device met before keeps its first date. */
  learn(jid: BareJid, deviceId: number, identityKey: Uint8Array, seenMs: number): void {
    this.#database.run(
      `INSERT INTO known_device (jid, device_id, identity_key, first_seen_ms)
       VALUES (@jid, @deviceId, @identityKey, @seenMs)
       ON CONFLICT (jid, device_id) DO UPDATE SET identity_key = excluded.identity_key`,
      { jid, deviceId, identityKey, seenMs },
    );
  }
}
