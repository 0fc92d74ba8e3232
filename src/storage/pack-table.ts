import type { DeviceKey, EventId, InfoHash, SphereId } from '../base/id.ts';
import type { Columns } from './columns.ts';
import { blob, integer, nullable, sealedBytes, text } from './columns.ts';
import type { Database } from './database.ts';
import { Rows } from './rows.ts';

/** The history of a sphere as one file, on its way between this device and another. */
export interface PackRow {
  readonly infoHash: InfoHash;
  readonly sphereId: SphereId;
  /** Who gets it from us, or gave it to us. */
  readonly device: DeviceKey;
  /** Ours to give; else it is fetched, then its events are stored, then what they say is shown. */
  readonly state: 'given' | 'fetching' | 'storing' | 'showing';
  /** Its name in the folder of packs. */
  readonly file: string;
  readonly key: Uint8Array;
  readonly metainfo: Uint8Array;
  /** Pieces that are on the disk; null = none. */
  readonly bitfield: Uint8Array | null;
  /** Chunks whose events are stored. */
  readonly stored: number;
  /** Of one that we give: the event that its person last joined by, which decides what of the past is theirs. */
  readonly began: EventId | null;
  readonly atMs: number;
}

const COLUMNS: Columns<PackRow> = {
  infoHash: text('info_hash'),
  sphereId: text('sphere_id'),
  device: text('device'),
  state: text('state'),
  file: text('file'),
  key: sealedBytes('key'),
  metainfo: blob('metainfo'),
  bitfield: nullable(blob('bitfield')),
  stored: integer('stored'),
  began: nullable(text<EventId>('began')),
  atMs: integer('at_ms'),
};

export class PackTable {
  readonly #rows: Rows<PackRow, 'infoHash'>;

  constructor(deps: { database: Database }) {
    this.#rows = new Rows({ database: deps.database, table: 'pack', columns: COLUMNS, key: ['infoHash'] });
  }

  get(infoHash: InfoHash): PackRow | undefined {
    return this.#rows.get({ infoHash });
  }

  /** The oldest first. */
  list(): PackRow[] {
    return this.#rows.select('ORDER BY at_ms, rowid');
  }

  put(pack: PackRow): void {
    this.#rows.put(pack);
  }

  update(infoHash: InfoHash, changes: Partial<Omit<PackRow, 'infoHash'>>): boolean {
    return this.#rows.update({ infoHash }, changes);
  }

  remove(infoHash: InfoHash): boolean {
    return this.#rows.remove({ infoHash });
  }
}
