-- Installations of this person, this one among them. `state`: here, new, known, ended.
CREATE TABLE own_device (
  device TEXT PRIMARY KEY,
  name BLOB NOT NULL, -- sealed
  jid TEXT NOT NULL,
  omemo_device_id INTEGER NOT NULL,
  omemo_identity_key TEXT NOT NULL,
  state TEXT NOT NULL,
  added_at_ms INTEGER NOT NULL,
  seen_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Made with the first recovery kit, and printed on it.
ALTER TABLE identity ADD COLUMN recovery_key BLOB; -- sealed
