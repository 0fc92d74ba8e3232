-- Somebody we know, talk with, or are asked by. `standing`: contact, met, request.
CREATE TABLE contact (
  jid TEXT PRIMARY KEY,
  standing TEXT NOT NULL,
  name BLOB, -- sealed
  nick BLOB, -- sealed
  subscription TEXT NOT NULL,
  asked INTEGER NOT NULL,
  wants INTEGER NOT NULL,
  avatar TEXT,
  since_ms INTEGER NOT NULL,
  read_position INTEGER NOT NULL
) STRICT;

-- Whom nothing is taken from.
CREATE TABLE blocked (jid TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

-- Lines between us and one person, outside any sphere.
CREATE TABLE direct_message (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  peer TEXT NOT NULL REFERENCES contact (jid) ON DELETE CASCADE,
  mine INTEGER NOT NULL,
  stanza_id TEXT,
  text BLOB NOT NULL, -- sealed
  at_ms INTEGER NOT NULL,
  state TEXT NOT NULL,
  failure TEXT,
  encrypted INTEGER NOT NULL
) STRICT;
CREATE INDEX direct_message_by_peer ON direct_message (peer, position);
CREATE INDEX direct_message_by_state ON direct_message (state, position);
