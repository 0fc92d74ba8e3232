-- Shares that were begun and are not announced yet: they go on after a restart, behind the pieces hashed before.
CREATE TABLE share_job (
  id TEXT PRIMARY KEY,
  sphere_id TEXT NOT NULL REFERENCES sphere (id) ON DELETE CASCADE,
  path TEXT NOT NULL,
  plain INTEGER NOT NULL,
  link TEXT,
  draft BLOB, -- sealed
  pieces BLOB NOT NULL,
  begun_at_ms INTEGER NOT NULL
) STRICT;
