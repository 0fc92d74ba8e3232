-- Columns named here as sealed hold AES-256-GCM ciphertext under the profile's master key.

-- One known value, sealed: tells a wrong master key from a damaged database.
CREATE TABLE master_key_check (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  sealed BLOB NOT NULL
) STRICT;

CREATE TABLE setting (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  jid TEXT NOT NULL,
  password BLOB NOT NULL, -- sealed
  server TEXT,
  ca TEXT
) STRICT;

CREATE TABLE identity (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  person TEXT NOT NULL,
  person_private_key BLOB NOT NULL, -- sealed
  device TEXT NOT NULL,
  device_private_key BLOB NOT NULL, -- sealed
  boot_nonce BLOB NOT NULL
) STRICT;

CREATE TABLE omemo_own (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  device_id INTEGER NOT NULL,
  public_key BLOB NOT NULL,
  private_key BLOB NOT NULL, -- sealed
  next_key_id INTEGER NOT NULL
) STRICT;

CREATE TABLE omemo_pre_key (
  id INTEGER PRIMARY KEY,
  public_key BLOB NOT NULL,
  private_key BLOB NOT NULL, -- sealed
  used_at_ms INTEGER
) STRICT;

CREATE TABLE omemo_signed_pre_key (
  id INTEGER PRIMARY KEY,
  public_key BLOB NOT NULL,
  private_key BLOB NOT NULL, -- sealed
  signature BLOB NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE omemo_session (
  jid TEXT NOT NULL,
  device_id INTEGER NOT NULL,
  record BLOB NOT NULL, -- sealed
  PRIMARY KEY (jid, device_id)
) STRICT;

CREATE TABLE known_device (
  jid TEXT NOT NULL,
  device_id INTEGER NOT NULL,
  identity_key BLOB NOT NULL,
  first_seen_ms INTEGER NOT NULL,
  PRIMARY KEY (jid, device_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE sphere (
  id TEXT PRIMARY KEY,
  name BLOB NOT NULL, -- sealed
  room TEXT NOT NULL,
  folder TEXT NOT NULL,
  state TEXT NOT NULL,
  invited_by TEXT,
  archive_cursor TEXT,
  read_at_ms INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  position INTEGER NOT NULL
) STRICT;

CREATE TABLE event (
  id TEXT PRIMARY KEY,
  sphere_id TEXT NOT NULL REFERENCES sphere (id) ON DELETE CASCADE,
  bytes BLOB NOT NULL, -- sealed
  signature BLOB NOT NULL,
  device TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  lamport INTEGER NOT NULL,
  type TEXT NOT NULL,
  received_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX event_by_order ON event (sphere_id, lamport, device, sequence, id);
CREATE INDEX event_by_device ON event (sphere_id, device, sequence);

CREATE TABLE attachment (
  event_id TEXT NOT NULL REFERENCES event (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  bytes BLOB NOT NULL, -- sealed
  PRIMARY KEY (event_id, kind)
) STRICT;

CREATE TABLE epoch (
  sphere_id TEXT NOT NULL REFERENCES sphere (id) ON DELETE CASCADE,
  epoch_id TEXT NOT NULL,
  key BLOB NOT NULL, -- sealed
  event_id TEXT NOT NULL,
  number INTEGER NOT NULL,
  PRIMARY KEY (sphere_id, epoch_id)
) STRICT;

CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  sphere_id TEXT REFERENCES sphere (id) ON DELETE CASCADE,
  recipient TEXT NOT NULL,
  event_id TEXT NOT NULL,
  envelope BLOB NOT NULL, -- sealed
  audience TEXT NOT NULL,
  line BLOB, -- sealed
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_by_state ON outbox (state, id);
CREATE INDEX outbox_by_event ON outbox (event_id);
CREATE INDEX outbox_by_sphere ON outbox (sphere_id);

CREATE TABLE item (
  item_id TEXT PRIMARY KEY,
  sphere_id TEXT NOT NULL REFERENCES sphere (id) ON DELETE CASCADE,
  info_hash TEXT NOT NULL,
  state TEXT NOT NULL,
  wanted INTEGER NOT NULL,
  paused INTEGER NOT NULL,
  bytes_have INTEGER NOT NULL,
  bitfield BLOB,
  path TEXT,
  layout BLOB, -- sealed
  updated_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX item_by_sphere ON item (sphere_id);
CREATE INDEX item_by_info_hash ON item (info_hash);

CREATE TABLE message (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  sphere_id TEXT NOT NULL REFERENCES sphere (id) ON DELETE CASCADE,
  sender TEXT NOT NULL,
  kind TEXT NOT NULL,
  text BLOB NOT NULL, -- sealed
  item_id TEXT,
  at_ms INTEGER NOT NULL,
  lamport INTEGER NOT NULL,
  state TEXT NOT NULL,
  encrypted INTEGER NOT NULL
) STRICT;
CREATE INDEX message_by_sphere ON message (sphere_id, position);

CREATE TABLE invitation (
  id TEXT PRIMARY KEY,
  sphere_id TEXT NOT NULL,
  name BLOB NOT NULL, -- sealed
  room TEXT NOT NULL,
  sender TEXT NOT NULL,
  envelope BLOB NOT NULL, -- sealed
  at_ms INTEGER NOT NULL,
  state TEXT NOT NULL
) STRICT;
CREATE INDEX invitation_by_sphere ON invitation (sphere_id);

CREATE TABLE seen (
  scope TEXT NOT NULL,
  id TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (scope, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_by_time ON seen (at_ms);
