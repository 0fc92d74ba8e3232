import type { BareJid } from '../base/id.ts';
import { RecentMap } from '../base/recent-map.ts';
import type { Columns } from './columns.ts';
import { blob, integer, nullable, sealedBytes, sealedText, text } from './columns.ts';
import type { Database } from './database.ts';
import { KnownDeviceTable } from './known-device-table.ts';
import { Rows } from './rows.ts';

interface Address {
  readonly jid: BareJid;
  readonly deviceId: number;
}

interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly privateKey: Uint8Array;
}

/** Our own OMEMO device; `nextKeyId` numbers the next prekey. */
export interface OmemoOwnRow extends KeyPair {
  readonly deviceId: number;
  readonly nextKeyId: number;
}

export interface OmemoPreKeyRow extends KeyPair {
  readonly id: number;
  /** When a first message used it up; null while it is on offer. */
  readonly usedAtMs: number | null;
}

export interface OmemoSignedPreKeyRow extends KeyPair {
  readonly id: number;
  readonly signature: Uint8Array;
  readonly createdAtMs: number;
}

/** Everything one OMEMO operation changed. The OMEMO leaf declares the same shape. */
export interface OmemoChangeSet {
  readonly own: OmemoOwnRow | null;
  readonly preKeys: readonly OmemoPreKeyRow[];
  readonly removedPreKeys: readonly number[];
  readonly signedPreKeys: readonly OmemoSignedPreKeyRow[];
  readonly removedSignedPreKeys: readonly number[];
  readonly sessions: readonly { readonly address: Address; readonly record: string }[];
  readonly identities: readonly {
    readonly address: Address;
    readonly identityKey: Uint8Array;
    readonly seenMs: number;
  }[];
}

type Single<T> = T & { readonly id: number };
type SessionRow = Address & { readonly record: string };

const KEY_PAIR: Columns<KeyPair> = { publicKey: blob('public_key'), privateKey: sealedBytes('private_key') };

const OWN: Columns<Single<OmemoOwnRow>> = {
  id: integer('id'),
  deviceId: integer('device_id'),
  ...KEY_PAIR,
  nextKeyId: integer('next_key_id'),
};
const PRE_KEY: Columns<OmemoPreKeyRow> = { id: integer('id'), ...KEY_PAIR, usedAtMs: nullable(integer('used_at_ms')) };
const SIGNED_PRE_KEY: Columns<OmemoSignedPreKeyRow> = {
  id: integer('id'),
  ...KEY_PAIR,
  signature: blob('signature'),
  createdAtMs: integer('created_at_ms'),
};
const SESSION: Columns<SessionRow> = {
  jid: text('jid'),
  deviceId: integer('device_id'),
  record: sealedText('record'),
};

/** Of what others can add to only so much is remembered. */
const MOST_KNOWN = 64;

/**
 * Own OMEMO keys and the sessions; identities of others are in the known devices. The newest sessions are remembered: a few
 * people say most of what comes.
 */
export class OmemoTable {
  readonly #database: Database;
  readonly #own: Rows<Single<OmemoOwnRow>, 'id'>;
  readonly #preKeys: Rows<OmemoPreKeyRow, 'id'>;
  readonly #signedPreKeys: Rows<OmemoSignedPreKeyRow, 'id'>;
  readonly #sessions: Rows<SessionRow, 'jid' | 'deviceId'>;
  readonly #devices: KnownDeviceTable;
  readonly #known = new RecentMap<string, string>(MOST_KNOWN);
  #undone = 0;

  constructor(deps: { database: Database }) {
    const { database } = deps;
    this.#database = database;
    this.#own = new Rows({ database, table: 'omemo_own', columns: OWN, key: ['id'] });
    this.#preKeys = new Rows({ database, table: 'omemo_pre_key', columns: PRE_KEY, key: ['id'] });
    this.#signedPreKeys = new Rows({
      database,
      table: 'omemo_signed_pre_key',
      columns: SIGNED_PRE_KEY,
      key: ['id'],
    });
    this.#sessions = new Rows({ database, table: 'omemo_session', columns: SESSION, key: ['jid', 'deviceId'] });
    this.#devices = new KnownDeviceTable({ database });
  }

  own(): OmemoOwnRow | undefined {
    const row = this.#own.get({ id: 1 });
    if (row === undefined) return undefined;
    const { id: _id, ...own } = row;
    return own;
  }

  preKeys(): OmemoPreKeyRow[] {
    return this.#preKeys.select('ORDER BY id');
  }

  preKey(id: number): OmemoPreKeyRow | undefined {
    return this.#preKeys.get({ id });
  }

  signedPreKeys(): OmemoSignedPreKeyRow[] {
    return this.#signedPreKeys.select('ORDER BY created_at_ms, id');
  }

  signedPreKey(id: number): OmemoSignedPreKeyRow | undefined {
    return this.#signedPreKeys.get({ id });
  }

  /** The library's serialised record. */
  session(address: Address): string | undefined {
    if (this.#undone !== this.#database.undone) this.#known.clear();
    this.#undone = this.#database.undone;
    const known = this.#known.get(nameOf(address));
    if (known !== undefined) return known;
    const record = this.#sessions.get({ jid: address.jid, deviceId: address.deviceId })?.record;
    if (record !== undefined) this.#known.set(nameOf(address), record);
    return record;
  }

  identityKey(address: Address): Uint8Array | undefined {
    return this.#devices.get(address.jid, address.deviceId)?.identityKey;
  }

  /** With whomever: others know us by another address from now on, and sessions belong to addresses. */
  forgetSessions(): void {
    this.#known.clear();
    this.#database.transaction(() => {
      for (const { jid, deviceId } of this.#sessions.select('')) this.#sessions.remove({ jid, deviceId });
    });
  }

  /** Our own keys and all sessions are gone: the next device made here is a new one. Keys of others stay known. */
  forgetOwn(): void {
    this.#database.transaction(() => {
      for (const { id } of this.#preKeys.select('')) this.#preKeys.remove({ id });
      for (const { id } of this.#signedPreKeys.select('')) this.#signedPreKeys.remove({ id });
      this.forgetSessions();
      this.#own.remove({ id: 1 });
    });
  }

  /** To be called inside the transaction that keeps what the operation was for. */
  apply(changes: OmemoChangeSet): void {
    this.#database.transaction(() => {
      if (changes.own !== null) this.#own.put({ id: 1, ...changes.own });
      for (const key of changes.preKeys) this.#preKeys.put(key);
      for (const id of changes.removedPreKeys) this.#preKeys.remove({ id });
      for (const key of changes.signedPreKeys) this.#signedPreKeys.put(key);
      for (const id of changes.removedSignedPreKeys) this.#signedPreKeys.remove({ id });
      for (const { address, record } of changes.sessions) {
        this.#sessions.put({ jid: address.jid, deviceId: address.deviceId, record });
        this.#known.set(nameOf(address), record);
      }
      for (const { address, identityKey, seenMs } of changes.identities) {
        this.#devices.learn(address.jid, address.deviceId, identityKey, seenMs);
      }
    });
  }
}

function nameOf({ jid, deviceId }: Address): string {
  return `${jid} ${deviceId}`;
}
