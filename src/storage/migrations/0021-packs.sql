-- Histories on their way to or from another device as one file, until they were taken in.
CREATE TABLE pack (
  info_hash TEXT PRIMARY KEY,
  sphere_id TEXT NOT NULL REFERENCES sphere (id) ON DELETE CASCADE,
  device TEXT NOT NULL,
  state TEXT NOT NULL,
  file TEXT NOT NULL,
  key BLOB NOT NULL, -- sealed
  metainfo BLOB NOT NULL,
  bitfield BLOB,
  stored INTEGER NOT NULL,
  began TEXT,
  at_ms INTEGER NOT NULL
) STRICT;
