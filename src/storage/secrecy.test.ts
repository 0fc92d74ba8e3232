import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  account,
  attachment,
  epoch,
  event,
  identity,
  invitation,
  item,
  message,
  omemoChanges,
  outboxEntry,
  sphere,
} from '../../test/fixtures/storage-rows.ts';
import { StorageFolder } from '../../test/fixtures/storage.ts';
import { toBase64, toHex, toUtf8 } from '../base/bytes.ts';
import { openDatabase } from './database.ts';
import { loadMigrations } from './migrations.ts';
import { Storage } from './storage.ts';

const CANARY = 'canary-9f3b-été';
const bytes = toUtf8(CANARY);

/** What the canary could look like in a file. */
const needles = [CANARY, toBase64(bytes), toHex(bytes)].map((text) => Buffer.from(text));

function filesWith(folder: string): string[] {
  return readdirSync(folder).filter((name) => {
    const content = readFileSync(join(folder, name));
    return needles.some((needle) => content.includes(needle));
  });
}

function writeSecrets(storage: Storage): void {
  const pair = { privateKey: bytes, publicKey: new Uint8Array(33) };
  storage.account.put({ ...account, password: CANARY });
  storage.account.setNick(CANARY);
  storage.portraits.put({ jid: account.jid, id: 'a'.repeat(40), image: bytes });
  storage.identity.put({ ...identity, personPrivateKey: bytes, devicePrivateKey: bytes });
  storage.omemo.apply({
    ...omemoChanges,
    own: { deviceId: 5, nextKeyId: 3, ...pair },
    preKeys: [{ id: 1, usedAtMs: null, ...pair }],
    signedPreKeys: [{ id: 2, signature: new Uint8Array(64), createdAtMs: 1, ...pair }],
    sessions: omemoChanges.sessions.map(({ address }) => ({ address, record: CANARY })),
  });
  storage.spheres.put({ ...sphere, name: CANARY });
  storage.events.add({ ...event, bytes });
  storage.attachments.put({ ...attachment, bytes });
  storage.epochs.put({ ...epoch, key: bytes });
  storage.outbox.add({ ...outboxEntry, envelope: bytes, line: CANARY });
  storage.items.put({ ...item, layout: [{ kind: 'bytes', offset: 0, bytes }] });
  storage.messages.add({ ...message, text: CANARY });
  storage.invitations.put({ ...invitation, name: CANARY, envelope: bytes });
}

test('no secret stands readable in the database, its write-ahead log or its backup', () => {
  using folder = new StorageFolder();
  const database = openDatabase(folder.deps());
  writeSecrets(new Storage({ database }));
  expect(readdirSync(folder.folder)).toContain('account.db-wal');
  expect(filesWith(folder.folder)).toEqual([]);
  database[Symbol.dispose]();
  const extra = { version: loadMigrations().length + 1, name: 'more', sql: 'CREATE TABLE more (id INTEGER) STRICT;' };
  openDatabase(folder.deps({ migrations: [...loadMigrations(), extra] }))[Symbol.dispose]();
  expect(readdirSync(folder.folder).some((name) => name.includes('.backup-v'))).toBe(true);
  expect(filesWith(folder.folder)).toEqual([]);
});

test('the same search finds a secret that was written unsealed', () => {
  using folder = new StorageFolder();
  using database = openDatabase(folder.deps());
  new Storage({ database }).settings.set('careless', CANARY);
  expect(filesWith(folder.folder)).toEqual(['account.db-wal']);
});
